/* The folder of the gate pages, and the users who share it: one, or the members of a group. */
#ifndef GIVEWAY_FOLDER_H
#define GIVEWAY_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* The path of the folder, which need not exist. */
int gw_folder_path(char *path, size_t size);
/* Checks that only users who share the folder can write to it; with create, makes a missing one. */
int gw_folder_check(const char *path, int create);
/* Whether a file in the folder can be trusted. */
bool gw_folder_trusts(const struct stat *file);
/* Gives a new file in the folder to the users who share it. 0, or an errno. */
int gw_folder_share(int fd);

#endif
