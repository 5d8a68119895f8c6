#!/usr/bin/env bash
# Trains and exports every shipped model, on whatever is there: a CUDA GPU (minutes) or two CPU cores (hours).
#
#     scripts/train_release.sh DATA [RUNS]
#
# DATA is FER2013 with FER+'s votes beside it: a folder with train/ and validation/ and ferplus.csv, or the two CSVs;
# $MIEN_FER2013 where it is left out. RUNS (runs/release) holds the run folders.
#
# The most valuable first. A run that was cut off is resumed where it stopped, a finished one is left alone, so the
# script may be killed at any time and started again, and after a short time on a GPU the next call goes on from there.
# SEED=n trains the family with another seed; MORE is passed to every training (MORE="--accelerator gpu").
#
#   base      from scratch on the labels                      46 epochs
#   tuned     on from base: votes on a second head, mixup     14 epochs     -> base.onnx: its weights averaged with
#                                                                              base's; ferplus.onnx: its head of votes
#   nano      taught by base.onnx                             160 epochs    -> nano.onnx, nano-int8.onnx (shipped as nano)
#   tuned     again with another seed                         14 epochs     -> ensemble.onnx with the first two
set -euo pipefail
data=${1:-${MIEN_FER2013:?give the data set, or set MIEN_FER2013}}
runs=${2:-runs/release}
seed=${SEED:-0}
out=$runs/models
mien=${MIEN:-mien}
mkdir -p "$out"

# train NAME RECIPE [OPTION...]: start, resume or skip the run RUNS/RECIPE/NAME
train() {
  local folder=$runs/$2/$1
  if grep -qs '"best"' "$folder/run.json"; then
    echo "$folder: finished"
  elif find "$folder" -name last.ckpt 2>/dev/null | grep -q .; then
    $mien train --resume "$folder" --data "$data" ${MORE:-}
  else
    rm -rf "$folder" # stopped before its first epoch ended
    $mien train "$2" --name "$1" --runs "$runs" --data "$data" --set "seed=$seed" ${MORE:-} "${@:3}"
  fi
}

train "$seed" base
train "$seed" tuned --set "network.weights=$runs/base/$seed/best.pth"
both=("$runs/base/$seed" "$runs/tuned/$seed")
$mien export "${both[@]}" --soup 0.65,0.35 --data "$data" --name base --out "$out/base.onnx"
$mien export "$runs/tuned/$seed" --data "$data" --head votes --name ferplus --accept-error 0.08 --out "$out/ferplus.onnx"
train "$seed" nano --set "teacher.models=[$out/base.onnx]"
$mien export "$runs/nano/$seed" --data "$data" --out "$out/nano.onnx"
$mien export "$out/nano.onnx" --data "$data" --quantize int8 --name nano-int8 --out "$out/nano-int8.onnx" || true
seed=$((seed + 1))
train "$seed" tuned --set "network.weights=$runs/base/${SEED:-0}/best.pth"
$mien export "${both[@]}" "$runs/tuned/$seed" --data "$data" --name ensemble --out "$out/ensemble.onnx"
ls -l "$out"
