#!/bin/bash
# The names and shapes of the nets' tensors by the rule of the authors' files, written down here once more, apart from src/net:
# names as in the fixtures' groups `params`, sizes by SPEC 5 as functions of the net's. tests/data/tensors.txt is what this
# prints; check_presets compares it with the fixtures (so the rule is theirs) and with the program's own tables.
#   tests/tensors.sh            compares with tests/data/tensors.txt
#   tests/tensors.sh print      prints what should be there
set -u
: "${TEST_DATA:=$(dirname "$0")/data}"

# net NAME IMAGE PATCH CHANNELS CLASSES WIDTH DEPTH HEAD_DEPTH HEADS: one line a tensor, name and sizes.
net() {
  awk -v name="$1" -v image="$2" -v p="$3" -v C="$4" -v classes="$5" -v D="$6" -v depth="$7" -v head="$8" -v A="$9" '
    function tensor(name, shape) { print name, shape }
    function block(at) {
      tensor(at "norm1.weight", D)
      for (i = 1; i <= 3; i++) tensor(at "attn." substr("qkv", i, 1) "_proj._flax_linear.weight", D " " D)
      tensor(at "attn.q_norm.weight", D / A); tensor(at "attn.k_norm.weight", D / A)
      tensor(at "attn.out_proj._flax_linear.weight", D " " D)
      tensor(at "attn_scale", D); tensor(at "norm2.weight", D)
      tensor(at "mlp.w1._flax_linear.weight", I " " D); tensor(at "mlp.w3._flax_linear.weight", I " " D)
      tensor(at "mlp.w2._flax_linear.weight", D " " I)
      tensor(at "mlp_scale", D)
    }
    BEGIN {
      print "= " name
      large = D > 1024
      neck = large ? 256 : 128
      I = int(8 * D / 3)
      if (large) I = int((I + 7) / 8) * 8
      tensor("x_embedder.proj1.weight", neck " " C " " p " " p); tensor("x_embedder.proj1.bias", neck)
      tensor("x_embedder.proj2.weight", D " " neck " 1 1"); tensor("x_embedder.proj2.bias", D)
      split("h omega cfg_t_start cfg_t_end", condition)
      for (i = 1; i <= 4; i++) {
        at = condition[i] "_embedder.mlp."
        tensor(at "0._flax_linear.weight", D " 256"); tensor(at "0._flax_linear.bias", D)
        tensor(at "2._flax_linear.weight", D " " D); tensor(at "2._flax_linear.bias", D)
      }
      tensor("y_embedder.embedding_table._flax_embedding.weight", classes + 1 " " D)
      n = split("class 8 omega 4 t_min 2 t_max 2 time 4", tokens)
      for (i = 1; i < n; i += 2) {
        tensor(tokens[i] "_tokens", "1 " tokens[i + 1] " " D)
        prefix += tokens[i + 1]
      }
      tensor("pos_embed", "1 " prefix + (image / p) ^ 2 " " D)
      for (j = 0; j < depth - head; j++) block("shared_blocks." j ".")
      for (h = 1; h <= 2; h++) {
        which = substr("uv", h, 1)
        for (j = 0; j < head; j++) block(which "_heads." j ".")
        tensor(which "_final_layer.norm.weight", D)
        tensor(which "_final_layer.linear._flax_linear.weight", p * p * C " " D)
        tensor(which "_final_layer.linear._flax_linear.bias", p * p * C)
      }
    }'
}

print_all() {
  #   name        image patch colours classes width depth head heads
  net pmf_square     16     4       3       5    48     4    2     2
  net pmf_grey       20     5       1       3    40     3    1     2
  net pMF_B_16      256    16       3    1000   768    16    8    12
  net pMF_B_32      512    32       3    1000   768    16    8    12
  net pMF_L_16      256    16       3    1000  1024    32    8    16
  net pMF_L_32      512    32       3    1000  1024    32    8    16
  net pMF_H_16      256    16       3    1000  1280    48    8    16
  net pMF_H_32      512    32       3    1000  1280    48    8    16
}

if [ "${1:-}" = print ]; then
  print_all
elif ! print_all | cmp -s - "$TEST_DATA/tensors.txt"; then
  echo "tensors.sh: tests/data/tensors.txt is not what tests/tensors.sh prints:"
  print_all | diff - "$TEST_DATA/tensors.txt" | head -n 5
  exit 1
fi
