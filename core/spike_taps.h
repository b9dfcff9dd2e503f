/* The spikes that each input of a layer's output values is, over all output positions: what
 * calibration counts pairs of. */
#ifndef QSV_SPIKE_TAPS_H
#define QSV_SPIKE_TAPS_H

#include "core/engine/grid.h"

/* out [in.c][kernel x kernel][positions of the output's grid / 64], positions laid out as
 * qsv_grid_of says, 0 where a tap lies outside; in [in.c][positions of the input's grid / 64], one
 * word readable past its end. */
void qsv_spike_taps(uint64_t *out, const uint64_t *in, const struct qsv_layer *l, uint32_t images,
                    uint32_t steps);

#endif
