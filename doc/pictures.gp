# Landscapes to try the tutorial with: 1,000 pictures each of sun, moon and house, in photos/
set terminal pngcairo size 96,72
unset border; unset tics; unset key
set lmargin 0; set rmargin 0; set tmargin 0; set bmargin 0
set xrange [0:96]; set yrange [0:72]
colour(h, s, v) = sprintf("#%06x", int(hsv2rgb(h, s, v)))
do for [i = 1:1000] { do for [class in "sun moon house"] {
  x = 22 + 52*rand(0); y = 44 + 14*rand(0); r = 6 + 5*rand(0); ground = 14 + 14*rand(0)
  night = class eq "moon"
  sky = night ? colour(0.65, 0.8, 0.15 + 0.15*rand(0)) : colour(0.55 + 0.05*rand(0), 0.25 + 0.3*rand(0), 0.95)
  unset object
  set object 1 rectangle from 0,0 to 96,72 behind fillcolor rgb sky fillstyle solid noborder
  set object 2 rectangle from 0,0 to 96,ground behind fillcolor rgb colour(0.25 + 0.1*rand(0), 0.6, night ? 0.25 : 0.6) fillstyle solid noborder
  if (class eq "sun") { set object 3 circle at x,y size r front fillcolor rgb colour(0.12 + 0.03*rand(0), 0.8, 1) fillstyle solid noborder }
  if (night) {
    set object 3 circle at x,y size r front fillcolor rgb "#f0f0d8" fillstyle solid noborder
    set object 4 circle at x + 0.5*r,y + 0.2*r size r front fillcolor rgb sky fillstyle solid noborder
  }
  if (class eq "house") {
    a = ground - 4; b = a + 10 + 8*rand(0); w = 9 + 6*rand(0)
    set object 3 rectangle from x - w,a to x + w,b front fillcolor rgb colour(rand(0), 0.4, 0.9) fillstyle solid noborder
    set object 4 polygon from x - w - 3,b to x,b + 14 to x + w + 3,b to x - w - 3,b front fillcolor rgb colour(0.02, 0.8, 0.6) fillstyle solid noborder
  }
  set output sprintf("photos/%s/%04d.png", class, i)
  plot -1
} }
