#include "db/device_rows.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

static void device_done(struct db_device *device)
{
	free(device->name);
	smap_done(&device->config);
}

void db_device_list_done(struct db_devices *devices)
{
	for (size_t i = 0; i < devices->n; i++)
		device_done(&devices->rows[i]);
	free(devices->rows);
	*devices = (struct db_devices){ 0 };
}

/* The index of 'name', or where it would have to be. */
static size_t place_of(const struct db_devices *devices, const char *name, bool *ret_is_there)
{
	size_t low = 0;
	size_t high = devices->n;

	*ret_is_there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(devices->rows[middle].name, name);

		if (order == 0) {
			*ret_is_there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}

	return low;
}

const struct db_device *db_device_find(const struct db_devices *devices, const char *name)
{
	bool is_there;
	size_t i = place_of(devices, name, &is_there);

	return is_there ? &devices->rows[i] : NULL;
}

struct db_device *db_device_add(struct db_devices *devices, const char *name)
{
	bool is_there;
	size_t i = place_of(devices, name, &is_there);
	if (is_there)
		return &devices->rows[i];

	struct db_device *rows = xcalloc(devices->n + 1, sizeof(*rows));
	if (devices->n > 0) {
		memcpy(rows, devices->rows, i * sizeof(*rows));
		memcpy(rows + i + 1, devices->rows + i, (devices->n - i) * sizeof(*rows));
	}
	rows[i].name = xstrdup(name);
	free(devices->rows);
	devices->rows = rows;
	devices->n++;
	return &rows[i];
}

void db_device_remove(struct db_devices *devices, const char *name)
{
	bool is_there;
	size_t i = place_of(devices, name, &is_there);
	if (!is_there)
		return;

	device_done(&devices->rows[i]);
	devices->n--;
	memmove(&devices->rows[i], &devices->rows[i + 1],
	        (devices->n - i) * sizeof(*devices->rows));
}

void db_device_overlay(struct db_devices *devices, const struct db_devices *over)
{
	for (size_t i = 0; i < over->n; i++)
		smap_copy(&db_device_add(devices, over->rows[i].name)->config,
		          &over->rows[i].config);
}

void db_device_copy(struct db_devices *dst, const struct db_devices *src)
{
	if (dst == src)
		return;

	db_device_list_done(dst);
	db_device_overlay(dst, src);
}

bool db_device_equal(const struct db_devices *a, const struct db_devices *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->rows[i].name, b->rows[i].name) != 0 ||
		    !smap_equals(&a->rows[i].config, &b->rows[i].config))
			return false;

	return true;
}
