#!/bin/bash
# Networks that look at images: imported from files of the public names, they hold the formula's weights bit for bit, with the
# SHA-256 of where they came from; what does not fit is listed and refused, and nothing is half-written.
. "$(dirname "$0")/lib.sh"
make() { "$PMF_BUILD/tests/networks" "$@" || fail "networks $*"; }
imports() {
  "$PMF" import "$@" >out 2>err </dev/null || fail "pmf import $*: exit code $?: $(cat err)"
}
told() { grep -qF -- "$1" out || fail "expected '$1' on standard output: $(cat out)"; }

make vgg vgg.st
make heads heads.st
imports in=vgg.st heads=heads.st out=lpips.h5
told "lpips.h5: network of kind lpips, 31 tensors, 14716160 parameters"
told "SHA-256 $(sha256sum <vgg.st | cut -d' ' -f1)  vgg.st"
told "SHA-256 $(sha256sum <heads.st | cut -d' ' -f1)  heads.st"
make check lpips.h5
shows "$(sha256sum <vgg.st | cut -d' ' -f1)" inspect lpips.h5
shows "sound" verify lpips.h5
make convnext convnext.st
imports in=convnext.st out=convnext.h5
told "convnext.h5: network of kind convnext, 68 tensors, 73104 parameters"
make check convnext.h5
make plain plain.st
imports in=plain.st out=plain.h5
make check plain.h5
make counted counted.st
imports in=counted.st out=counted.h5
make check counted.h5
check 'what is left out' "$(grep -c 'left out: ' err)" 1   # of counts of batches nothing is said
said 'left out: convnextv2.decoder.weight: float32 [3,4]'
make inception inception.st
imports in=inception.st out=inception.h5
told "inception.h5: network of kind inception, 472 tensors, 23885392 parameters"
make check inception.h5

# What does not fit.
refuses "vgg.st: no lin0.model.1.weight in it: expected heads=FILE" import in=vgg.st out=no.h5
refuses "heads.st: LPIPS' weights alone: expected in=VGG-16 and heads=heads.st" import in=heads.st out=no.h5
refuses "heads=heads.st: they belong to VGG-16" import in=inception.st heads=heads.st out=no.h5
refuses "vgg.st: no lin0.model.1.weight in it" import in=vgg.st heads=vgg.st out=no.h5
refuses "model.depth=4: vgg.st is a network that looks at images" import in=vgg.st heads=heads.st out=no.h5 model.depth=4
refuses "lpips.h5 is there already" import in=vgg.st heads=heads.st out=lpips.h5
make negative negative.st
refuses "lin4.model.1.weight holds -0.25: LPIPS' weights are not negative" import in=vgg.st heads=negative.st out=no.h5
sed 's/Mixed_7c.branch_pool.bn.weight/Mixed_7c.branch_pool.bn.weighs/; s/"shape":\[1008,2048\]/"shape":[2048,1008]/' inception.st >other.st
"$PMF" import in=other.st out=no.h5 >out 2>err </dev/null
check "exit code of missing tensors" $? 65
said_once "Mixed_7c.branch_pool.bn.weight: missing, expected [192]"
said_once "fc.weight: float32 [2048,1008], expected [1008,2048]"
said_once "2 tensors do not fit: 1 missing, 1 of another shape or kind"
sed 's/encoder.stages.2.layers.0.dwconv.weight/encoder.stages.2.layers.9.dwconv.weight/' convnext.st >other.st
refuses "convnextv2.encoder.stages.2.layers.0.dwconv.weight is missing" import in=other.st out=no.h5
cp convnext.h5 damaged.h5
printf '\001' | dd of=damaged.h5 bs=1 seek=$(($(wc -c <damaged.h5) / 2)) conv=notrunc 2>dd.err
refuses "damaged: its weights differ from their checksum" verify damaged.h5
check "nothing half-written" "$(echo no.h5*)" "no.h5*"
exit $failed
