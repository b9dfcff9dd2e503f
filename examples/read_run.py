#!/usr/bin/python3
"""A run's trials as a table: read_run.py RUN [--csv]

RUN is a run's folder. One row a setting that was measured, cheapest first: bits a weight, bytes of the model, images it was measured on
("judge" or "decide"), top-1 accuracy and the drop below the f32 network with its 95 % interval. `*` marks the selected one. Read while a run
goes on it shows what results.h5 has so far; docs/results.md describes every table of the file.
"""
import argparse
import pathlib

import h5py
import pandas as pd


def read_trials(run):
    """/trials as a DataFrame, texts decoded, an id as qsvit prints it, only what was measured."""
    with h5py.File(pathlib.Path(run) / 'results.h5', 'r') as f:
        trials = pd.DataFrame(f['trials'][:])
    for column in ('step', 'description'):  # fixed-length strings come as bytes
        trials[column] = trials[column].str.decode('utf-8')
    trials['trial'] = [f'{i:016x}' for i in trials.trial_id]
    trials['images'] = trials['set'].map({0: 'judge', 1: 'decide'})
    trials['selected'] = trials.is_selected.map({0: '', 1: '*'})
    return trials[trials.n_images > 0].sort_values('model_bytes', kind='stable')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run')
    parser.add_argument('--csv', action='store_true', help='comma-separated, every digit')
    arguments = parser.parse_args()
    table = read_trials(arguments.run)[['selected', 'trial', 'step', 'avg_bits', 'model_bytes', 'images', 'n_images', 'top1',
                                        'top1_drop', 'drop_low', 'drop_high', 'description']]
    if arguments.csv:
        print(table.to_csv(index=False), end='')
    else:
        print(table.to_string(index=False, float_format='%.2f'))


if __name__ == '__main__':
    main()
