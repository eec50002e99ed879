#!/bin/bash
# pmf sample as a user meets it: arrays for other programs, the same bytes on any number of ranks; the flow along the v head;
# nets without classes, trained, sampled and scored; what is wrong is one line and leaves nothing.
. "$(dirname "$0")/lib.sh"

# body FILE COUNT: the first COUNT bytes of the first array of an .npz: they lie as they are, behind two headers.
body() {
  local at
  at=$(grep -obUa -m 1 'NUMPY' "$1" | head -n 1 | cut -d : -f 1)
  tail -c +$((at + 128)) "$1" | head -c "$2"
}

tiny 'batch_size: 16, steps: 6, learning_rate: 0.01, ema_val: [0.02, 2], seed: 9, log_per_step: 1'
sed -i 's/image_size: 16/image_size: 8/' tiny.yml
"$PMF" pack shapes n=300 size=8 holdout=60 out=set.h5 >out 2>err || fail "pack: $(cat err)"
does 2 train config=tiny.yml data=set.h5 run=run

# Arrays: 37 are no whole number of chunks, 70 are more chunks than ranks.
for ranks in 1 2 3; do
  does $ranks sample run=run n=37 out=new/a$ranks.npz
  cmp new/a1.npz new/a$ranks.npz || fail "the arrays on $ranks ranks differ"
done
check 'what lies beside them' "$(ls new | wc -l)" 3
check 'headers' "$(grep -cUa "'shape': (37, 8, 8, 3)" new/a1.npz) $(grep -cUa "'shape': (37,)" new/a1.npz)" '1 1'
does 2 sample run=run n=70 out=a70.npz
body a70.npz $((37 * 192)) >seventy
body new/a1.npz $((37 * 192)) >thirtyseven
check 'bytes of 37 images' "$(wc -c <thirtyseven)" $((37 * 192))
cmp seventy thirtyseven || fail 'an image depends on how many there are'
does 1 sample run=run n=37 seed=10 out=other.npz
cmp -s other.npz new/a1.npz && fail 'another seed gives the same images'
does 1 sample run=run n=5 classes=3 out=three.npz
check 'labels' "$(tail -c +$(($(grep -obUa 'NUMPY' three.npz | tail -n 1 | cut -d : -f 1) + 128)) three.npz | head -c 40 |
                  od -An -v -t d8 | tr -s ' \n' ' ')" ' 3 3 3 3 3 '

# The v head: the same on any number of ranks; other images than the u head's, and Heun's others than Euler's.
for ranks in 1 2; do
  does $ranks sample run=run n=20 head=v steps=3 out=euler$ranks.npz
  said ', 3 evaluations each (head v, euler), '
  does $ranks sample run=run n=20 head=v steps=3 solver=heun out=heun$ranks.npz
  said ', 5 evaluations each (head v, heun), '
done
does 1 sample run=run n=20 steps=3 out=jumps.npz
said ', 3 evaluations each, '
cmp euler1.npz euler2.npz || fail 'head=v differs on 2 ranks'
cmp heun1.npz heun2.npz || fail 'solver=heun differs on 2 ranks'
cmp -s euler1.npz heun1.npz && fail 'both solvers give the same images'
cmp -s euler1.npz jumps.npz && fail 'both heads give the same images'

# Without classes, of a set that has some.
for ranks in 1 2; do
  does $ranks train config=tiny.yml data=set.h5 run=free$ranks dataset.num_classes=0 fid.every_steps=3 fid.online_samples=40 \
    fid.time_share=1
done
said ' evaluation, no classes; '
within_rounding free2 free1
does 2 train config=tiny.yml data=set.h5 run=other dataset.num_classes=0 training.seed=10
beyond_rounding other free1
for ranks in 1 2; do
  does $ranks sample run=free2 n=21 out=free$ranks.npz
  said '1 evaluation each, no classes, '
done
cmp free1.npz free2.npz || fail 'arrays without classes differ on 2 ranks'
check 'arrays without labels' "$(grep -cUa arr_1 free1.npz)" 0
does 2 sample run=free2 n=21 out=files
check 'files' "$(cd files && echo 00*)" "$(seq -f '%06g.png' -s ' ' 0 20)"
check 'word of older pictures where there are none' "$(grep -c WARNING err)" 0
does 2 sample run=free2 n=4 out=files
said_once 'WARNING: files has 21 pictures already: those that get no new ones stay among these'
does 1 sample run=free2 n=21 out=free.png
does 1 score run=free2 n=40 steps=1 context=no
check 'agreement without classes' "$(sed -n 's/^1 step  *\S*  *\S*  *\(\S*\) .*/\1/p' out)" -
does 1 score run=free2 n=40 steps=1 context=no --json
grep -qF '"omega":1,"t_min":0,"t_max":1,' out || fail "guidance without classes: $(cat out)"
grep -qF '"agreement":null' out || fail "agreement: $(cat out)"
does 1 plan config=tiny.yml dataset.num_classes=0 ranks=2

does 1 export in=run/checkpoint.h5 out=u.safetensors
does 1 import in=u.safetensors out=u.h5 config=tiny.yml
does 1 sample checkpoint=u.h5 n=5 out=u.npz
refuses 'head=v: u.h5 has no v head' sample checkpoint=u.h5 head=v out=no.npz
refuses 'head=w: expected u or v' sample run=run head=w out=no.npz
refuses 'solver=rk4: expected euler or heun' sample run=run head=v solver=rk4 out=no.npz
refuses 'solver=heun: head u jumps and needs none' sample run=run solver=heun out=no.npz
refuses 'classes=3: free1/checkpoint.h5 was trained without classes' sample run=free1 classes=3 out=no.npz
refuses 'it takes no omega, t_min or t_max' sample run=free1 omega=3 out=no.npz
refuses 'it takes no omega, t_min or t_max' score run=free1 t_max=0.5
mkdir taken.npz
refuses 'taken.npz is a folder' sample run=run out=taken.npz
for ranks in 1 2; do
  on $ranks sample run=run n=70 out=/proc/no.npz
  check "exit code where nothing can be written on $ranks ranks" $? 74
  said_once 'pmf sample: /proc/no.npz.tmp: cannot be written'
done
[ ! -e no.npz ] || fail 'sampling that was refused left arrays'

exit $failed
