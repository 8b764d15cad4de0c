/* A library that opens regions is closed, and another one takes its place in memory: its regions
 * reach its own OpenMP runtime, not the first one's. Run with libgiveway-cpu.so preloaded; built
 * without OpenMP, so that each plugin is bound to the runtime that it is linked to. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct plugin {
  void *handle;
  int (*open_region)(void);
  const int *regions; /* that its runtime has run */
};

static struct plugin load(const char *path) {
  struct plugin plugin = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
  if (plugin.handle == NULL) {
    printf("%s\n", dlerror());
    exit(1);
  }
  *(void **)&plugin.open_region = dlsym(plugin.handle, "open_region");
  plugin.regions = dlsym(plugin.handle, "reload_regions");
  return plugin;
}

static int missed(const char *who, const struct plugin *plugin) {
  int before = *plugin->regions, done = plugin->open_region();
  if (done != 1 || *plugin->regions != before + 1) {
    printf("%s: a region was run by somebody else's runtime\n", who);
    return 1;
  }
  return 0;
}

static void *in_thread(void *plugin) { return (void *)(long)missed("thread", plugin); }

int main(void) {
  struct plugin kept = load(FIRST_KEPT), plugin = load(FIRST);
  int failures = missed("kept", &kept) + missed("first", &plugin);
  void *place = (void *)plugin.open_region, *failed = NULL;
  dlclose(plugin.handle);
  plugin = load(SECOND);
  if ((void *)plugin.open_region != place) { /* then nothing would be shown */
    printf("the second plugin is at %p, the first was at %p\n", (void *)plugin.open_region, place);
    return 1;
  }
  pthread_t thread; /* it remembers no caller of its own; the main thread remembers the first */
  pthread_create(&thread, NULL, in_thread, &plugin);
  pthread_join(thread, &failed);
  failures += failed != NULL;
  for (int i = 0; i < 200; i++) {
    failures += missed(i % 2 == 0 ? "second" : "first", &plugin) + missed("kept", &kept);
    dlclose(plugin.handle);
    plugin = load(i % 2 == 0 ? FIRST : SECOND);
  }
  return failures != 0;
}
