/* Code objects: ELF files. Their symbols are found, and their kernels are never executed. */
#include <elf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stand_in.h"

#define DESCRIPTOR_BYTES 64 /* of a kernel: symbol name.kd */

struct object {
  const unsigned char *file;
  size_t size;
};

/* Written once, at loading. The runtime asks for a kernel's name even after its program has gone.
 */
struct symbol {
  char *name;
  uint64_t address, size;
  bool kernel;
};

struct executable {
  char *image;
  uint64_t bytes;
  hsa_agent_t agent;
  struct symbol *symbols;
  size_t count;
  struct executable *next;
};

static struct executable *executables;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

hsa_status_t hsa_code_object_reader_create_from_memory(const void *file, size_t size,
                                                       hsa_code_object_reader_t *reader) {
  struct object *new = malloc(sizeof *new);
  if (new == NULL) {
    return NO_MEMORY;
  }
  *new = (struct object){file, size};
  reader->handle = (uintptr_t)new;
  return OK;
}

hsa_status_t hsa_code_object_reader_destroy(hsa_code_object_reader_t reader) {
  free((void *)reader.handle);
  return OK;
}

hsa_status_t hsa_executable_create_alt(hsa_profile_t profile,
                                       hsa_default_float_rounding_mode_t rounding,
                                       const char *options, hsa_executable_t *executable) {
  (void)profile, (void)rounding, (void)options;
  struct executable *new = calloc(1, sizeof *new);
  if (new == NULL) {
    return NO_MEMORY;
  }
  pthread_mutex_lock(&lock);
  new->next = executables;
  executables = new;
  pthread_mutex_unlock(&lock);
  executable->handle = (uintptr_t)new;
  return OK;
}

hsa_status_t hsa_executable_freeze(hsa_executable_t executable, const char *options) {
  (void)executable, (void)options;
  return OK;
}

/* The image stays, because packets in flight may still refer to its kernels. */
hsa_status_t hsa_executable_destroy(hsa_executable_t executable) {
  (void)executable;
  return OK;
}

static bool add_symbol(struct executable *to, const char *name, uint64_t address, uint64_t size) {
  size_t n = strlen(name);
  bool kernel = size == DESCRIPTOR_BYTES && n > 3 && strcmp(name + n - 3, ".kd") == 0;
  struct symbol *grown = realloc(to->symbols, (to->count + 1) * sizeof *grown);
  if (grown == NULL) {
    return false;
  }
  to->symbols = grown;
  grown[to->count++] = (struct symbol){strdup(name), address, size, kernel};
  return true;
}

static bool add_symbols(struct executable *to, const struct object *object,
                        const Elf64_Shdr *sections, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    if (sections[i].sh_type != SHT_DYNSYM) {
      continue;
    }
    const Elf64_Sym *symbols = (const void *)(object->file + sections[i].sh_offset);
    const char *names = (const char *)object->file + sections[sections[i].sh_link].sh_offset;
    for (size_t j = 0; j < sections[i].sh_size / sizeof *symbols; j++) {
      if (ELF64_ST_TYPE(symbols[j].st_info) == STT_OBJECT && symbols[j].st_shndx != SHN_UNDEF &&
          !add_symbol(to, names + symbols[j].st_name, (uintptr_t)to->image + symbols[j].st_value,
                      symbols[j].st_size)) {
        return false;
      }
    }
  }
  return true;
}

hsa_status_t hsa_executable_load_agent_code_object(hsa_executable_t handle, hsa_agent_t agent,
                                                   hsa_code_object_reader_t reader,
                                                   const char *options,
                                                   hsa_loaded_code_object_t *loaded) {
  (void)options, (void)loaded;
  struct executable *executable = (void *)handle.handle;
  const struct object *object = (const void *)reader.handle;
  const Elf64_Ehdr *elf = (const void *)object->file;
  if (object->size < sizeof *elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0) {
    return HSA_STATUS_ERROR_INVALID_CODE_OBJECT;
  }
  const Elf64_Phdr *parts = (const void *)(object->file + elf->e_phoff);
  const Elf64_Shdr *sections = (const void *)(object->file + elf->e_shoff);
  uint64_t bytes = 0;
  for (unsigned i = 0; i < elf->e_phnum; i++) {
    uint64_t end = parts[i].p_vaddr + parts[i].p_memsz;
    bytes = parts[i].p_type == PT_LOAD && end > bytes ? end : bytes;
  }
  executable->image = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (executable->image == NULL) {
    return NO_MEMORY;
  }
  memset(executable->image, 0, bytes);
  for (unsigned i = 0; i < elf->e_phnum; i++) {
    if (parts[i].p_type == PT_LOAD) {
      memcpy(executable->image + parts[i].p_vaddr, object->file + parts[i].p_offset,
             parts[i].p_filesz);
    }
  }
  executable->agent = agent;
  pthread_mutex_lock(&lock);
  executable->bytes = bytes;
  bool added = add_symbols(executable, object, sections, elf->e_shnum);
  pthread_mutex_unlock(&lock);
  return added ? OK : NO_MEMORY;
}

hsa_status_t hsa_executable_agent_global_variable_define(hsa_executable_t handle, hsa_agent_t agent,
                                                         const char *name, void *address) {
  (void)agent;
  pthread_mutex_lock(&lock);
  bool added = add_symbol((void *)handle.handle, name, (uintptr_t)address, 0);
  pthread_mutex_unlock(&lock);
  return added ? OK : NO_MEMORY;
}

hsa_status_t hsa_executable_get_symbol_by_name(hsa_executable_t handle, const char *name,
                                               const hsa_agent_t *agent,
                                               hsa_executable_symbol_t *symbol) {
  (void)agent;
  const struct executable *executable = (const void *)handle.handle;
  for (size_t i = 0; i < executable->count; i++) {
    if (strcmp(executable->symbols[i].name, name) == 0) {
      symbol->handle = (uintptr_t)&executable->symbols[i];
      return OK;
    }
  }
  return HSA_STATUS_ERROR_INVALID_SYMBOL_NAME;
}

hsa_status_t hsa_executable_iterate_symbols(hsa_executable_t handle,
                                            hsa_status_t (*each)(hsa_executable_t,
                                                                 hsa_executable_symbol_t, void *),
                                            void *data) {
  const struct executable *executable = (const void *)handle.handle;
  hsa_status_t status = OK;
  for (size_t i = 0; i < executable->count && status == OK; i++) {
    status = each(handle, (hsa_executable_symbol_t){(uintptr_t)&executable->symbols[i]}, data);
  }
  return status;
}

hsa_status_t hsa_executable_symbol_get_info(hsa_executable_symbol_t handle,
                                            hsa_executable_symbol_info_t attribute, void *value) {
  const struct symbol *symbol = (const void *)handle.handle;
  const uint32_t *descriptor = (const void *)symbol->address;
  switch ((int)attribute) {
  case HSA_EXECUTABLE_SYMBOL_INFO_TYPE:
    *(uint32_t *)value = symbol->kernel ? HSA_SYMBOL_KIND_KERNEL : HSA_SYMBOL_KIND_VARIABLE;
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_NAME_LENGTH:
    *(uint32_t *)value = (uint32_t)strlen(symbol->name);
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_NAME:
    memcpy(value, symbol->name, strlen(symbol->name));
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_OBJECT:
  case HSA_EXECUTABLE_SYMBOL_INFO_VARIABLE_ADDRESS:
    *(uint64_t *)value = symbol->address;
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_VARIABLE_SIZE:
    *(uint32_t *)value = (uint32_t)symbol->size;
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_GROUP_SEGMENT_SIZE:
    *(uint32_t *)value = symbol->kernel ? descriptor[0] : 0;
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_PRIVATE_SEGMENT_SIZE:
    *(uint32_t *)value = symbol->kernel ? descriptor[1] : 0;
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_KERNARG_SEGMENT_SIZE:
    *(uint32_t *)value = symbol->kernel ? descriptor[2] : 0;
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_KERNARG_SEGMENT_ALIGNMENT:
    *(uint32_t *)value = 16;
    return OK;
  case HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_DYNAMIC_CALLSTACK:
    *(bool *)value = false;
    return OK;
  default:
    return INVALID;
  }
}

const char *kernel_name(uint64_t object) {
  static _Thread_local char name[4096];
  snprintf(name, sizeof name, "?");
  pthread_mutex_lock(&lock);
  for (const struct executable *e = executables; e != NULL; e = e->next) {
    if (object - (uintptr_t)e->image >= e->bytes) {
      continue;
    }
    for (size_t i = 0; i < e->count; i++) {
      if (e->symbols[i].address == object && e->symbols[i].kernel) {
        snprintf(name, sizeof name, "%.*s", (int)strlen(e->symbols[i].name) - 3,
                 e->symbols[i].name);
      }
    }
  }
  pthread_mutex_unlock(&lock);
  return name;
}
