#include "drivers/device/run_config.h"

#include <string.h>

#include "lib/base/alloc.h"

struct run_config *run_config_new(const char *device)
{
	struct run_config *run = xcalloc(1, sizeof(*run));

	run->device = xstrdup(device);
	return run;
}

void run_config_free(struct run_config *run)
{
	if (!run)
		return;
	for (size_t i = 0; i < run->n_mounts; i++) {
		free(run->mounts[i].source);
		free(run->mounts[i].within);
		free(run->mounts[i].target);
		free(run->mounts[i].options);
		free(run->mounts[i].propagation);
	}
	for (size_t i = 0; i < run->n_links; i++) {
		free(run->links[i].parent);
		free(run->links[i].host_name);
		free(run->links[i].name);
		free(run->links[i].hwaddr);
	}
	for (size_t i = 0; i < run->n_nodes; i++) {
		free(run->nodes[i].source);
		free(run->nodes[i].target);
	}
	free(run->mounts);
	free(run->links);
	free(run->nodes);
	free(run->device);
	free(run);
}

/* Devices have one or two items each: one more at a time is good enough. */
static void *add(void *items, size_t *n, size_t size)
{
	char *more = xmalloc((*n + 1) * size);

	if (*n > 0)
		memcpy(more, items, *n * size);
	memset(more + *n * size, 0, size);
	free(items);
	(*n)++;
	return more;
}

struct run_mount *run_config_add_mount(struct run_config *run)
{
	run->mounts = add(run->mounts, &run->n_mounts, sizeof(*run->mounts));
	return &run->mounts[run->n_mounts - 1];
}

struct run_link *run_config_add_link(struct run_config *run)
{
	run->links = add(run->links, &run->n_links, sizeof(*run->links));
	return &run->links[run->n_links - 1];
}

struct run_node *run_config_add_node(struct run_config *run)
{
	run->nodes = add(run->nodes, &run->n_nodes, sizeof(*run->nodes));
	return &run->nodes[run->n_nodes - 1];
}
