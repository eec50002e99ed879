#!/bin/bash
# TensorBoard's own reader on the event files of runs: every number of metrics.jsonl as it is there, each once, though one run was
# killed and one rolled back; every grid byte for byte its file; the settings as text. Needs a python3 ($PYTHON) that has
# tensorboard; without one it is skipped.
. "$(dirname "$0")/lib.sh"
: "${PYTHON:=python3}"
"$PYTHON" -c 'import tensorboard' 2>/dev/null || { echo 'tensorboard.sh: no tensorboard here'; exit 77; }

tiny 'batch_size: 10, steps: 30, ema_val: [0.02, 2], seed: 3, log_per_step: 1, tensorboard: on'
echo 'checkpoint: { every_steps: 10 }' >>tiny.yml
"$PMF" pack shapes n=200 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"

train=(train config=tiny.yml data=set.h5 sampling.grid_every_steps=4)
does 2 "${train[@]}" run=killed training.steps=10
PMF_DIE_AT=summed on 2 "${train[@]}" run=killed && fail 'a run killed in its save ends well'
does 2 "${train[@]}" run=killed
PMF_FAULT=nan:rank=1:step=14..18 does 2 "${train[@]}" run=back

cat >reads.py <<'END'
import json, struct, sys, glob
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as Plugins
run = sys.argv[1]
expected, grids = {}, set()
for line in open(run + '/metrics.jsonl'):
    line = json.loads(line)
    event, step = line.pop('event'), line.pop('step')
    if event == 'rollback':
        for series in expected.values(): series[:] = [p for p in series if p[0] <= step]
        grids = {s for s in grids if s <= step}
    if event == 'grid': grids.add(step)
    for name, value in line.items():
        if name != 'note' and value is not None:
            f32 = struct.unpack('f', struct.pack('f', value))[0]
            expected.setdefault(f"{event.replace(' ', '_')}/{name}", []).append((step, f32))
expected = {tag: series for tag, series in expected.items() if series}
files = glob.glob(run + '/tensorboard/*')
reader = EventAccumulator(run + '/tensorboard', size_guidance={'scalars': 0, 'images': 0, 'tensors': 0})
reader.Reload()
tags = reader.Tags()
found = {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in tags['scalars']}
found = {tag: series for tag, series in found.items() if series}
numbers = sum(map(len, expected.values()))
assert numbers > 300, numbers
# A start and a stop leave the lines of the step they stand at; what is twice there is twice here.
for tag in sorted(set(expected) | set(found)):
    assert found.get(tag) == expected.get(tag), (tag, found.get(tag), expected.get(tag))
pictures = 0
for kind, suffix in (('ema2', ''), ('raw', '.raw')):
    images = reader.Images('samples/' + kind)
    assert [i.step for i in images] == sorted(grids), ([i.step for i in images], grids)
    for i in images:
        png = open(f'{run}/samples/step-{i.step:08d}{suffix}.png', 'rb').read()
        assert i.encoded_image_string == png, (kind, i.step)
        assert (i.width, i.height) == struct.unpack('>II', png[16:24]), (i.width, i.height)
        pictures += 1
assert pictures >= 14, pictures
times = [e.wall_time for e in reader.Scalars('step/loss')]
assert times == sorted(times) and times[0] > 1.6e9, times
texts = Plugins(run + '/tensorboard')
texts.Reload()
settings = texts.Tensors('settings')[-1].tensor_proto.string_val[0].decode()
assert open(run + '/used_parameters.yml').read() in settings, settings
assert texts.SummaryMetadata('settings').plugin_data.plugin_name == 'text'
print(f'{len(files)} files: {numbers} numbers of {len(expected)} tags, {pictures} pictures, as they are in {run}')
END
for run in killed back; do
  "$PYTHON" reads.py $run >out 2>err || fail "$run: $(cat err)"
  cat out
done
exit $failed
