# manual.awk - a help text of pmf as a manual page.
#   usage: ...            SYNOPSIS, with the lines indented under it
#   words:                a line of lower case that ends with a colon begins a section
#   dataset               a word alone begins a part of one
#     name   meaning      an item; deeper lines go on with it. Of examples every line stands as it is
#   all else              paragraphs
# help2man was tried: it takes examples, usage and the four columns of the settings for prose.
function text(s) {
  gsub(/\\/, "\\e", s)
  gsub(/-/, "\\-", s)
  gsub(/'/, "\\(aq", s)
  gsub(/`/, "\\(ga", s)
  gsub(/\^/, "\\(ha", s)
  gsub(/~/, "\\(ti", s)
  return s ~ /^\./ ? "\\&" s : s
}
function heading(s) {
  if (examples) print ".EE"
  examples = 0
  print ".SH " s
  headed = 1
}
BEGIN {
  print ".\\\" Made by tools/manual.sh from the program's help."
  printf ".TH %s %s \"\" \"%s\" \"pixel MeanFlow\"\n.nr HY 0\n.nh\n.ad l\n", toupper(text(name)), section, text(version)
  print ".SH NAME\n" text(name) " \\- " text(summary)
  if (section == 5) heading("DESCRIPTION")
}
/^usage: / {
  heading("SYNOPSIS")
  print ".nf"
  print text(substr($0, 8))
  usage = 1
  next
}
usage && /^       / { print text(substr($0, 8)); next }
usage { usage = 0; headed = 0; print ".fi" }
/^$/ { if (examples) blank = 1; else if (headed) gap = 1; next }
/^[a-z][a-z]*( \([^)]*\))?:$/ {
  title = $1
  sub(/:$/, "", title)
  heading(toupper(title))
  if (match($0, /\(.*\)/)) print text(substr($0, RSTART, RLENGTH))
  examples = title ~ /^examples?$/
  if (examples) print ".EX"
  gap = 0
  next
}
!headed { heading("DESCRIPTION") }
/^[a-z]+$/ { print ".SS " $0; gap = 0; next }
examples && /^ / { if (blank) print ""; blank = 0; print text(substr($0, 3)); next }
examples { print ".EE"; examples = 0; gap = 1 }
/^  [^ ]/ {
  n = split(substr($0, 3), part, /  +/)
  ranged = part[1] ~ /=$/   # a number: what it may be stands beside its name
  print ".TP\n.B " text(part[1] (ranged ? " " part[2] : ""))
  first = ranged ? 3 : 2
  if (n - first == 2) {   # a setting: kind, default, meaning
    print text(part[2] "; " part[3]) "\n.br"
    first = 4
  }
  for (i = first; i <= n; i++) print text(part[i])
  gap = 0
  item = 1
  next
}
/^   / { sub(/^ +/, ""); print text($0); next }
{
  if (gap || item) print ".PP"
  gap = item = 0
  print text($0)
}
END {
  if (usage) print ".fi"
  heading("SEE ALSO")
  if (name != "pmf") line = ".BR pmf (1)"
  k = split(jobs, job, /[ \n]+/)
  for (i = 1; i <= k; i++) if (job[i] != "" && name != "pmf-" job[i]) line = line (line == "" ? "" : ",\n") ".BR pmf\\-" text(job[i]) " (1)"
  k = split(topics, topic, /[ \n]+/)
  for (i = 1; i <= k; i++) if (topic[i] != "" && name != "pmf-" topic[i]) line = line ",\n.BR pmf\\-" text(topic[i]) " (5)"
  print line
}
