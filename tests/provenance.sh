#!/bin/bash
# RUN/provenance.json: an object for each start, on top of those before it; what was set is in it, what is secret is not.
. "$(dirname "$0")/lib.sh"

tiny 'batch_size: 8, steps: 2, ema_val: [2]'
"$PMF" pack shapes n=32 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
started() { grep -c '"started":' run/provenance.json; }
has() { grep -qF -- "$1" run/provenance.json || fail "provenance.json lacks $1: $(cat run/provenance.json)"; }
# train RANKS WORDS...
train() {
  local ranks=$1
  shift
  SLURM_JOB_ID=4711 AWS_SECRET_ACCESS_KEY=hush OMPI_MCA_btl_tcp_if_include=lo does "$ranks" train config=tiny.yml data=set.h5 \
    run=run "$@"
}

train 2
check 'starts after one' "$(started)" 1
has '"command":	"pmf train config=tiny.yml data=set.h5 run=run"'
has '"SLURM_JOB_ID":	"4711"'
has '"OMPI_MCA_btl_tcp_if_include":	"lo"'
has '"OMPI_MCA_fbtl_posix_write_datasieving":	"0"'   # set by the program itself
has '"OMP_NUM_THREADS":	"1"'
has '"step":	0,'
has '"ranks":	2,'
has "\"pmf\":	\"$("$PMF" --version | cut -d' ' -f2)\""
for key in commit compiler flags mpi hdf5 openblas onednn hosts threads cores numa kernels gflops; do has "\"$key\":"; done
for empty in compiler flags mpi hdf5 openblas kernels host; do
  grep -qE "\"$empty\":	(null|\"\")" run/provenance.json && fail "provenance.json has nothing for $empty"
done
grep -qE 'hush|SECRET|orte|OMPI_MCA_ess' run/provenance.json &&
  fail "provenance.json has more than it should: $(cat run/provenance.json)"

train 1 training.steps=3 "sampling.omega=2"
check 'starts after two' "$(started)" 2
has '"step":	2,'
has '"ranks":	1,'

printf '[{"started": "half' >run/provenance.json
train 1 training.steps=4
check 'starts after a damaged file' "$(started)" 1
check 'the damaged file' "$(cat run/provenance.json.broken)" '[{"started": "half'
rm run/provenance.json.broken
ln -sf provenance.json run/provenance.json   # an error, but not that there is none
train 1 training.steps=5
check 'starts after a file that cannot be opened' "$(started)" 1
[ -L run/provenance.json.broken ] || fail 'a provenance.json that cannot be opened is not kept'
exit $failed
