/* Preloaded into mongod (LD_PRELOAD): fsync and fdatasync take SLOW_DISK_MICROSECONDS longer. See slow_disk.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *microseconds = getenv("SLOW_DISK_MICROSECONDS");
    if (microseconds) usleep((useconds_t)atoi(microseconds));
    return real(file);
}

int fdatasync(int file) { return slowly("fdatasync", file); }
int fsync(int file) { return slowly("fsync", file); }
