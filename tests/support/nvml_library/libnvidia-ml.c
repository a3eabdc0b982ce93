/* NVML's C calls, as far as pynvml, Zeus and greenexp make them, answered without a GPU.
 *
 * NVML_GPU_0, NVML_GPU_1, … describe the GPUs, e.g. ";name=Simulated V100;power_w=150;". A call
 * whose key is not there answers NOT_SUPPORTED; one that this file lacks is FUNCTION_NOT_FOUND, as
 * with an older driver. NVML_INIT_ERROR is what nvmlInit answers. tests/support/nvml_machine.py names the
 * keys. Structures are those of NVIDIA's nvml.h.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    GPU_IS_LOST = 15
};

enum { MOST_GPUS = 8, TEMPERATURE_GPU = 0, CLOCK_SM = 1, FIRST_PID = 4001 };

static const unsigned long long BYTES_PER_MIB = 1 << 20;

typedef const char *Device; /* its description in the environment */

static int sessions = 0;
static double began_s = -1; /* when this process first called nvmlInit */

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static Device gpu(unsigned index)
{
    char variable[32];
    snprintf(variable, sizeof variable, "NVML_GPU_%u", index);
    return index < MOST_GPUS ? getenv(variable) : NULL;
}

/* Copies the text of ";key=text;" and returns whether the key is there. */
static int text(Device device, const char *key, char *copy, size_t size)
{
    char pattern[64];
    snprintf(pattern, sizeof pattern, ";%s=", key);
    const char *begin = strstr(device, pattern);
    if (begin == NULL)
        return 0;
    begin += strlen(pattern);
    snprintf(copy, size, "%.*s", (int)strcspn(begin, ";"), begin);
    return 1;
}

static int number(Device device, const char *key, double *value)
{
    char copy[64];
    if (!text(device, key, copy, sizeof copy))
        return 0;
    *value = atof(copy);
    return 1;
}

static int refusal(Device device)
{
    double lost_after_s;
    if (sessions == 0)
        return UNINITIALIZED;
    if (device == NULL)
        return INVALID_ARGUMENT;
    if (number(device, "lost_after_s", &lost_after_s) && now_s() - began_s >= lost_after_s)
        return GPU_IS_LOST;
    return SUCCESS;
}

static int tell(Device device, const char *key, double *value)
{
    int refused = refusal(device);
    if (refused)
        return refused;
    return number(device, key, value) ? SUCCESS : NOT_SUPPORTED;
}

static int tell_unsigned(Device device, const char *key, unsigned *value)
{
    double told;
    int refused = tell(device, key, &told);
    if (refused == SUCCESS)
        *value = (unsigned)llround(told);
    return refused;
}

static int tell_text(Device device, const char *key, char *copy, unsigned size)
{
    int refused = refusal(device);
    if (refused)
        return refused;
    return text(device, key, copy, size) ? SUCCESS : NOT_SUPPORTED;
}

/* The library and the system */

int nvmlInitWithFlags(unsigned flags)
{
    const char *error = getenv("NVML_INIT_ERROR");
    (void)flags;
    if (error != NULL)
        return atoi(error);
    if (began_s < 0)
        began_s = now_s();
    sessions += 1;
    return SUCCESS;
}

int nvmlShutdown(void)
{
    if (sessions == 0)
        return UNINITIALIZED;
    sessions -= 1;
    return SUCCESS;
}

const char *nvmlErrorString(int result)
{
    return result == SUCCESS ? "Success" : "Unknown Error"; /* pynvml has words of its own */
}

int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    snprintf(version, size, "999.0");
    return sessions ? SUCCESS : UNINITIALIZED;
}

/* The GPUs */

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = 0;
    while (gpu(*count) != NULL)
        *count += 1;
    return sessions ? SUCCESS : UNINITIALIZED;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *device)
{
    *device = gpu(index);
    return refusal(*device);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Device *device)
{
    char own[96];
    for (unsigned index = 0; gpu(index) != NULL; index++) {
        if (text(gpu(index), "uuid", own, sizeof own) && strcmp(own, uuid) == 0)
            return nvmlDeviceGetHandleByIndex_v2(index, device);
    }
    return sessions ? NOT_FOUND : UNINITIALIZED;
}

int nvmlDeviceGetIndex(Device device, unsigned *index)
{
    for (*index = 0; gpu(*index) != NULL; *index += 1) {
        if (gpu(*index) == device)
            return refusal(device);
    }
    return INVALID_ARGUMENT;
}

int nvmlDeviceGetName(Device device, char *name, unsigned size)
{
    return tell_text(device, "name", name, size);
}

int nvmlDeviceGetUUID(Device device, char *uuid, unsigned size)
{
    return tell_text(device, "uuid", uuid, size);
}

int nvmlDeviceGetArchitecture(Device device, unsigned *architecture)
{
    return tell_unsigned(device, "architecture", architecture);
}

int nvmlDeviceGetC2cModeInfoV(Device device, void *information)
{
    (void)information;
    int refused = refusal(device);
    return refused ? refused : NOT_SUPPORTED;
}

int nvmlDeviceGetMigMode(Device device, unsigned *current, unsigned *pending)
{
    int refused = tell_unsigned(device, "mig", current);
    *pending = *current;
    return refused;
}

/* What they tell */

int nvmlDeviceGetPowerUsage(Device device, unsigned *milliwatts)
{
    double power_w;
    int refused = tell(device, "power_w", &power_w);
    if (refused == SUCCESS)
        *milliwatts = (unsigned)llround(power_w * 1e3);
    return refused;
}

/* Moves every counter_step_s, by the power over that time. */
int nvmlDeviceGetTotalEnergyConsumption(Device device, unsigned long long *millijoules)
{
    double power_w, step_s;
    int refused = tell(device, "counter_step_s", &step_s);
    if (refused == SUCCESS)
        refused = tell(device, "power_w", &power_w);
    if (refused == SUCCESS)
        *millijoules = (unsigned long long)(floor(now_s() / step_s) * step_s * power_w * 1e3);
    return refused;
}

typedef struct {
    unsigned gpu, memory;
} Utilization;

int nvmlDeviceGetUtilizationRates(Device device, Utilization *utilization)
{
    utilization->memory = 0;
    return tell_unsigned(device, "utilization_pct", &utilization->gpu);
}

int nvmlDeviceGetTemperature(Device device, unsigned sensor, unsigned *temperature_c)
{
    if (sensor != TEMPERATURE_GPU)
        return INVALID_ARGUMENT;
    return tell_unsigned(device, "temperature_c", temperature_c);
}

typedef struct {
    unsigned long long total, free, used;
} Memory;

int nvmlDeviceGetMemoryInfo(Device device, Memory *memory)
{
    unsigned used_mib = 0;
    int refused = tell_unsigned(device, "memory_mib", &used_mib);
    memory->total = 2 * used_mib * BYTES_PER_MIB;
    memory->free = memory->used = used_mib * BYTES_PER_MIB;
    return refused;
}

int nvmlDeviceGetClockInfo(Device device, unsigned domain, unsigned *clock_mhz)
{
    if (domain != CLOCK_SM)
        return INVALID_ARGUMENT;
    return tell_unsigned(device, "clock_mhz", clock_mhz);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(Device device, unsigned long long *reasons)
{
    unsigned mask = 0;
    int refused = tell_unsigned(device, "throttle_reasons", &mask);
    *reasons = mask;
    return refused;
}

typedef struct {
    unsigned pid;
    unsigned long long used_bytes;
    unsigned gpu_instance, compute_instance;
} Process;

int nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned *count, Process *processes)
{
    unsigned running = 0;
    int refused = tell_unsigned(device, "processes", &running);
    if (refused)
        return refused;
    if (*count < running) {
        *count = running;
        return INSUFFICIENT_SIZE;
    }
    for (unsigned index = 0; index < running; index++)
        processes[index] = (Process){FIRST_PID + index, BYTES_PER_MIB, ~0u, ~0u};
    *count = running;
    return SUCCESS;
}
