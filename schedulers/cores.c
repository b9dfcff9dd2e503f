#define _GNU_SOURCE
#include "schedulers/cores.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

uint32_t qsv_cores_of_quota(const char *text)
{
    long long quota = 0, period = 0;
    if (sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return 0;
    long long cores = quota / period + (quota % period != 0);
    return cores > UINT16_MAX ? 0 : (uint32_t)cores;
}

static uint32_t quota_cores(void)
{
    char text[128] = "";
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return qsv_cores_of_quota(text);
}

static uint32_t affinity_cores(void)
{
    enum { MOST = 1 << 16 }; /* CPUs: the mask must be as large as the kernel's */
    cpu_set_t *set = CPU_ALLOC(MOST);
    size_t bytes = CPU_ALLOC_SIZE(MOST);
    int n = 0;
    if (set && sched_getaffinity(0, bytes, set) == 0)
        n = CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    return n > 0 ? (uint32_t)n : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

uint32_t qsv_cores_available(void)
{
    uint32_t cores = affinity_cores(), quota = quota_cores();
    if (quota && quota < cores)
        cores = quota;
    return cores ? cores : 1;
}
