/* Devices, contexts, and the look-up of functions. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../engine/fake.h"

bool fake_initialized;
struct context fake_contexts[DEVICES];
__thread struct context *fake_current;
int fake_physical[DEVICES];
static int devices = 1;

/* The devices of CUDA_VISIBLE_DEVICES in its order, up to the first that does not exist. */
static int choose_visible(int present) {
  const char *list = getenv("CUDA_VISIBLE_DEVICES");
  int count = 0;
  for (int i = 0; list == NULL && i < present; i++) {
    fake_physical[count++] = i;
  }
  while (list != NULL && count < DEVICES) {
    char *end;
    long number = strtol(list, &end, 10);
    if (end == list || number < 0 || number >= present) {
      break;
    }
    fake_physical[count++] = (int)number;
    list = *end == ',' ? end + 1 : end;
  }
  return count;
}

static void fork_child(void) {
  fake_initialized = false;
  engine_reset();
}

FAKE int cuInit(unsigned flags) {
  COUNT(cuInit)
  (void)flags;
  if (fake_initialized) {
    return SUCCESS;
  }
  const char *text = getenv("GIVEWAY_FAKE_DEVICES");
  int present = text != NULL ? atoi(text) : 1;
  devices = present > DEVICES ? 0 : choose_visible(present);
  if (devices < 1) {
    return NO_DEVICE;
  }
  for (int i = 0; i < devices; i++) {
    share_open(i);
    struct context *context = &fake_contexts[i];
    *context = (struct context){.device = i};
    context->legacy = (struct stream){.context = context, .legacy = true};
  }
  pthread_atfork(NULL, NULL, fork_child);
  fake_initialized = true;
  return SUCCESS;
}

FAKE int cuDriverGetVersion(int *version) {
  COUNT(cuDriverGetVersion)
  *version = 13000;
  return SUCCESS;
}

FAKE int cuDeviceGetCount(int *count) {
  CALL(cuDeviceGetCount)
  *count = devices;
  return SUCCESS;
}

FAKE int cuDeviceGet(int *device, int ordinal) {
  CALL(cuDeviceGet)
  if (ordinal < 0 || ordinal >= devices) {
    return INVALID_DEVICE;
  }
  *device = ordinal;
  return SUCCESS;
}

FAKE int cuDeviceGetName(char *name, int size, int device) {
  CALL(cuDeviceGetName)
  snprintf(name, (size_t)size, "giveway fake GPU %d (simulated)", device);
  return SUCCESS;
}

FAKE int cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
  CALL(cuDeviceGetUuid_v2)
  memset(uuid, 0xfa, 16);
  uuid[15] = (unsigned char)fake_physical[device];
  return SUCCESS;
}

FAKE int cuDeviceGetAttribute(int *value, int attribute, int device) {
  CALL(cuDeviceGetAttribute)(void) device;
  *value = attribute == 75    ? 9 /* compute capability 9.0 */
           : attribute == 76  ? 0
           : attribute == 133 ? beside_on() /* clients of MPS */
                              : 1;
  return SUCCESS;
}

FAKE int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  CALL(cuDeviceTotalMem_v2)(void) device;
  *bytes = share_memory_size();
  return SUCCESS;
}

/* ---- contexts: each device has only its primary context ---- */

FAKE int cuDevicePrimaryCtxRetain(struct context **context, int device) {
  CALL(cuDevicePrimaryCtxRetain)
  if (device < 0 || device >= devices) {
    return INVALID_DEVICE;
  }
  if (!fake_contexts[device].alive && !memory_open_context(&fake_contexts[device])) {
    return OUT_OF_MEMORY;
  }
  fake_contexts[device].alive = true;
  fake_contexts[device].retained++;
  *context = &fake_contexts[device];
  return SUCCESS;
}

static int destroy(struct context *context) {
  engine_lock();
  if (context->alive) {
    for (struct stream *s = context->streams; s != NULL; s = s->next) {
      if (s->origin) {
        capture_end(s);
      }
    }
    engine_wait_stream(&context->legacy);
    context->alive = false;
    context->retained = 0;
    memory_close_context(context);
  }
  engine_unlock();
  return SUCCESS;
}

FAKE int cuDevicePrimaryCtxRelease_v2(int device) {
  CALL(cuDevicePrimaryCtxRelease_v2)
  if (fake_contexts[device].retained > 1) {
    fake_contexts[device].retained--;
    return SUCCESS;
  }
  return destroy(&fake_contexts[device]);
}

FAKE int cuDevicePrimaryCtxReset_v2(int device) {
  CALL(cuDevicePrimaryCtxReset_v2)
  return destroy(&fake_contexts[device]);
}

FAKE int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
  CALL(cuDevicePrimaryCtxGetState)
  *flags = 0;
  *active = fake_contexts[device].alive;
  return SUCCESS;
}

FAKE int cuCtxSetCurrent(struct context *context) {
  CALL(cuCtxSetCurrent)
  fake_current = context;
  return SUCCESS;
}

FAKE int cuCtxCreate_v2(struct context **context, unsigned flags, int device) {
  CALL(cuCtxCreate_v2)(void) flags;
  int result = cuDevicePrimaryCtxRetain(context, device);
  if (result == SUCCESS) {
    fake_current = *context;
  }
  return result;
}

FAKE int cuCtxDestroy_v2(struct context *context) {
  CALL(cuCtxDestroy_v2)
  if (context == fake_current) {
    fake_current = NULL;
  }
  return destroy(context);
}

FAKE int cuCtxPushCurrent_v2(struct context *context) {
  CALL(cuCtxPushCurrent_v2)
  fake_current = context;
  return SUCCESS;
}

FAKE int cuCtxPopCurrent_v2(struct context **context) {
  CALL(cuCtxPopCurrent_v2)
  *context = fake_current;
  fake_current = NULL;
  return SUCCESS;
}

FAKE int cuCtxGetCurrent(struct context **context) {
  CALL(cuCtxGetCurrent)
  *context = fake_current;
  return SUCCESS;
}

FAKE int cuCtxGetDevice(int *device) {
  CALL(cuCtxGetDevice)
  if (fake_current == NULL || !fake_current->alive) {
    return INVALID_CONTEXT;
  }
  *device = fake_current->device;
  return SUCCESS;
}

/* ---- words and addresses ---- */

FAKE int cuGetErrorString(int error, const char **text) {
  COUNT(cuGetErrorString)
  *text = error == SUCCESS ? "no error" : "simulated error";
  return SUCCESS;
}

FAKE int cuGetErrorName(int error, const char **text) {
  COUNT(cuGetErrorName)
  *text = error == SUCCESS ? "CUDA_SUCCESS" : "CUDA_ERROR_SIMULATED";
  return SUCCESS;
}

/* The newest version of the function, for the kind of default stream that the flags state. */
static void *look_up(const char *name, uint64_t flags) {
  static const char *const versions[] = {"_v3", "_v2", ""};
  static const char *const threads[] = {"_ptsz", "_ptds", ""};
  Dl_info info;
  dladdr((void *)look_up, &info);
  /* The shim's dlopen would open the shim in the place of a driver. */
  void *library = dlmopen(LM_ID_BASE, info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  void *found = NULL;
  for (int thread = (flags & 2) != 0 ? 0 : 2; thread < 3 && found == NULL; thread++) {
    for (int version = 0; version < 3 && found == NULL; version++) {
      char full[256];
      snprintf(full, sizeof full, "%s%s%s", name, versions[version], threads[thread]);
      found = dlsym(library, full);
    }
  }
  dlclose(library);
  return found;
}

FAKE int cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags,
                             int *status) {
  COUNT(cuGetProcAddress_v2)
  (void)version;
  *function = look_up(name, flags);
  if (status != NULL) {
    *status = *function == NULL;
  }
  return *function != NULL ? SUCCESS : NOT_FOUND;
}

FAKE int cuGetProcAddress(const char *name, void **function, int version, uint64_t flags) {
  COUNT(cuGetProcAddress)
  (void)version;
  *function = look_up(name, flags);
  return *function != NULL ? SUCCESS : NOT_FOUND;
}
