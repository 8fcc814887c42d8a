#include "lib/data/libarchive.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* The version of the interface, which <archive.h> of every 3.x has. */
#define SONAME "libarchive.so.13"

struct libarchive libarchive;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *problem; /* NULL: loaded. */

struct function {
	const char *name;
	size_t offset;
};

#define LIBARCHIVE_ROW(name) { "archive_" #name, offsetof(struct libarchive, name) },
static const struct function functions[] = { LIBARCHIVE_FUNCTIONS(LIBARCHIVE_ROW) };
#undef LIBARCHIVE_ROW

static void load(void)
{
	void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		problem = SONAME " cannot be loaded";
		return;
	}

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *address = dlsym(library, functions[i].name);

		if (!address) {
			problem = SONAME " lacks a function";
			return;
		}
		memcpy((char *)&libarchive + functions[i].offset, &address, sizeof(address));
	}
}

int libarchive_load(struct error **err)
{
	pthread_once(&once, load);
	return problem ? error_set(err, 500, "Archives are not available: %s", problem) : 0;
}
