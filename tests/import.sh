#!/bin/bash
# Released weights: all forms give the fixture's weights and images; import and export are each other's inverse; a training
# begins with them; what does not fit is listed, what is hostile refused, and nothing half-written.
. "$(dirname "$0")/lib.sh"
data=${TEST_DATA:-$(dirname "$0")/data}
case $data in /*) ;; *) data=$OLDPWD/$data ;; esac

# alone WORDS...: pmf without a launcher, whose own words would stand among ours.
alone() { "$PMF" "$@" >out 2>err </dev/null; }
well() { alone "$@" || fail "pmf $*: exit code $?: $(cat err)"; }

for form in pmf_square.pt pmf_square_legacy.pt pmf_square.safetensors; do
  well import in="$data/$form" out="$form.h5"
  said_once "images of 16 x 16 x 3 in patches of 4, 5 classes, depth 4 with heads of 2, width 48, 2 attention heads"
  said_once "no v head, as in released weights"
  check "what import says" "$(cat out)" "$form.h5: 82 tensors, 188144 parameters"
  shows "every block agrees" verify "$form.h5"
  shows "no v head" inspect "$form.h5"
done
"$PMF_BUILD/tests/imported" ./*.h5 || fail "imported weights are not the fixture's"

# There and back.
well export in=pmf_square.pt.h5 out=a.safetensors
well import in=a.safetensors out=a.h5
well export in=a.h5 out=b.safetensors
cmp -s a.safetensors b.safetensors || fail "export, import, export: other bytes"
"$PMF_BUILD/tests/imported" a.h5 || fail "exported weights are not the fixture's"
refuses "has no v head" export in=a.h5 out=c.safetensors v_head=yes
refuses "a.h5 is there already, and import replaces nothing" import in=a.safetensors out=a.h5
does 2 sample checkpoint=a.h5 n=4 out=a.png
refuses "has no v head" sample checkpoint=a.h5 n=4 head=v out=v.png

# What does not fit is listed before the last line.
alone import in=a.safetensors out=no.h5 preset=fashion model.patch_size=7 model.hidden_size=128 model.aux_head_depth=2
check "exit code of another net" $? 65
check "lines of another net" "$(wc -l <err)" 22
said_once "net.x_embedder.proj1.weight: float32 [128,3,4,4], expected [128,1,7,7]"
said_once "... and 61 more"
said_once "81 tensors do not fit: 0 missing, 81 of another shape or kind, 0 that the net has not"
keys="dataset.image_size=16 dataset.num_classes=5 model.patch_size=4 model.hidden_size=48 model.num_heads=2"
# shellcheck disable=SC2086
alone import in=a.safetensors out=no.h5 preset=pMF_B_16 $keys model.aux_head_depth=1 model.depth=4
check "exit code of other blocks" $? 65
said_once "net.u_heads.1.attn_scale: not in the net"
said_once "net.shared_blocks.2.norm1.weight: missing, expected [48]"
# shellcheck disable=SC2086
well import in=a.safetensors out=words.h5 preset=pMF_B_16 $keys model.aux_head_depth=2 model.depth=4
said_once "no v head"
tiny "batch_size: 8, steps: 1, learning_rate: 1.0e-300, ema_val: [2], seed: 3"
refuses "in= is missing" import out=no.h5
refuses "out= is missing" import in=a.safetensors
refuses "cannot be opened" import in=none.pt out=no.h5
refuses "neither .safetensors nor" import in=tiny.yml out=no.h5
refuses "needs no import" import in=a.h5 out=no.h5
refuses "no net of this kind in it" import in=a.safetensors part=ema out=no.h5
head -c 700000 "$data/pmf_square.pt" >cut.pt
refuses "cannot be read as a zip" import in=cut.pt out=no.h5
head -c 700000 "$data/pmf_square_legacy.pt" >cut.pt
refuses "cut" import in=cut.pt out=no.h5
cp a.safetensors nan.safetensors
printf '\000\000\300\177' | dd of=nan.safetensors bs=1 seek=$(($(wc -c <nan.safetensors) - 4)) conv=notrunc 2>dd.err
refuses "tensor net.u_final_layer.linear._flax_linear.bias holds nan" import in=nan.safetensors out=no.h5
printf '\200\002cposix\nsystem\n(X\012\000\000\000touch ranXtR.' >evil.pt
refuses "asks for posix.system, which no list of weights needs; nothing was run" import in=evil.pt out=no.h5
check "nothing half-written" "$(echo no.h5* ran*)" "no.h5* ran*"

# A training begins with them: at a rate that moves nothing the weights stay, and a v head is drawn.
well pack shapes n=40 size=16 out=shapes.h5
well train config=tiny.yml data=shapes.h5 run=first
cp err first.err
well export in=first out=first.st ema=raw
well export in=first out=whole.st ema=raw v_head=yes
well import in=first.st out=first.h5 config=tiny.yml
well import in=whole.st out=whole.h5
begin() { alone train config=tiny.yml data=shapes.h5 training.seed=4 "$@"; }
begin run=r load_from=first.h5
check "exit code without v head" $? 65
said_once "first.h5 has no v head, which training needs: model.init_v_head=fresh draws a new one"
[ ! -e r ] || fail "a run that was refused left its folder"
begin run=r load_from=whole.h5 model.init_v_head=fresh
check "exit code of a v head too many" $? 65
said_once "whole.h5 has a v head"
begin run=r load_from=a.h5 model.init_v_head=fresh
check "exit code of another net" $? 65
said_once "from another net"
begin run=fresh load_from=first.h5 model.init_v_head=fresh || fail "load_from: $(cat err)"
said_once "begins with the weights of first.h5"
well export in=fresh out=fresh.st ema=raw
well export in=fresh out=fresh_v.st ema=raw v_head=yes
cmp -s first.st fresh.st || fail "load_from: other weights than the file's"
cmp -s whole.st fresh_v.st && fail "load_from: the fresh v head is that of seed 3"
begin run=same load_from=whole.h5 || fail "load_from of a whole net: $(cat err)"
well export in=same out=same.st ema=ema2 v_head=yes
# numbers FILE: those of a .safetensors, behind eight bytes with the length of a header, and that header
numbers() { tail -c +$((9 + $(od -An -t u8 -N 8 "$1"))) "$1"; }
check 'bytes of all numbers' "$(numbers whole.st | wc -c)" \
  $((4 * $(sed -n 's/^first: \([0-9]*\) parameters, .*/\1/p' first.err)))
cmp -s <(numbers whole.st) <(numbers same.st) || fail "load_from: EMAs begin as other than copies"
rm first.h5   # the run goes on without it
begin run=fresh load_from=first.h5 model.init_v_head=fresh training.steps=2 || fail "going on: $(cat err)"
said_once "going on after step 1 of 2"
mkdir r && well import in=first.st out=r/checkpoint.h5
begin run=r
check "exit code of a run of weights alone" $? 65
said_once "holds weights alone, as pmf import writes them: begin a run with load_from=r/checkpoint.h5 in a folder of its own"
exit $failed
