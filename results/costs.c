#include "results/costs.h"

void qsv_record_energy(struct qsv_energy *out, const struct qsv_run *run, const uint8_t *formats,
                       const struct qsv_record *r)
{
    double n = r->n_images;
    qsv_cost_energy(out, run->model, run->affine, formats, r->site_ac, r->n_images, &run->energy);
    out->compute_pj *= n;
    out->sram_pj *= n;
    out->dram_pj *= n;
    out->total_pj *= n;
}
