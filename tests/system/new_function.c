/* What a driver newer than giveway exports. */
int cuFancyNew(void);
__attribute__((visibility("default"))) int cuFancyNew(void) { return 42; }
