#!/bin/sh
# From a folder of photos, as a phone makes them, to a page on which you paint and a model makes photos of it.
#
#   sh examples/phone_photos.sh ./my-photos     with your photos, in folders or not; they are not changed
#   sh examples/phone_photos.sh                 with photos that come with the package
#
# What may be set before it: WORK, where all of it is written; SIZE, the pixels of a side; EPOCHS, how often each photo
# is seen; PAINT, the options of the page, such as "--port 8000".
set -eu

photos=${1:-}
work=${WORK:-phone-photos}
size=${SIZE:-64}       # 64 px are learnt in minutes on a CPU; 256 px want a GPU, and RECIPE=edges2shoes
recipe=${RECIPE:-quickstart}
epochs=${EPOCHS:-80}

# 1. Pairs: A is the edges of each photo, B the photo. For HEIC files, of iPhones: pip install ".[heic]"
mkdir -p "$work"
if [ -n "$photos" ]; then
    p2p-data edges "$photos" --out "$work/pairs" --size "$size"
else  # many cuts of one photo: its right half, which no cut of the left one overlaps, is held out
    p2p-data sample "$work/photos"
    p2p-data edges "$work/photos/chelsea" --out "$work/pairs" --size "$size" --group folder --val 0.5 --test 0
fi

# 2. What would spoil the training is found before it; a page shows the pairs: open pairs/report.html.
#    Exit code 3 says that there are errors, which are told with what to do.
p2p-data check "$work/pairs"

# 3. Training. Half of the epochs at the full learning rate, then it falls. Stopped, the same command goes on.
p2p-train "$recipe" --runs "$work/runs" --set "data.path=$work/pairs" \
    --set "train.epochs=$((epochs - epochs / 2))" --set "train.decay_epochs=$((epochs / 2))"
run=$(ls -d "$work/runs/"*-"$recipe" | tail -n 1)

# 4. Pairs that it never saw: edges, what is made of them, the photo. Open held-out/sheet.png.
p2p-model translate "$run" "$work/pairs" --split validation --out "$work/held-out" --overwrite

# 5. The page. It opens in the browser and serves until Ctrl-C. For a static host: p2p-model export "$run" --to web
# shellcheck disable=SC2086  # several options are several words
p2p-model paint "$run" ${PAINT:-}
