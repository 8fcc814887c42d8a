#include "drivers/instance/ct/ct_hotplug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/instance/ct/ct_start.h"
#include "lib/base/bytes.h"
#include "lib/linux/idmap.h"
#include "lib/linux/net_link.h"

#define TIMEOUT_MS 30000

static int open_netns(pid_t init)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", init);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void put_text(struct strbuf *b, const char *text)
{
	strbuf_add_n(b, text, strlen(text) + 1);
}

/* The end inside, which only somebody inside can bring up. */
static int bring_up(struct instance_engine *engine, const char *name, pid_t init,
                    struct error **err)
{
	scoped(strbuf_done) struct strbuf payload = { 0 }, reply = { 0 };
	scoped_fd int job = -1;

	bytes_put_le32(&payload, (uint32_t)init);
	put_text(&payload, name);
	int r = ct_spawner_run(engine->spawner, CT_JOB_LINK, &payload, NULL, 0, &job, err);
	return r < 0 ? r : ct_spawner_reply(job, TIMEOUT_MS, &reply, NULL, 0, err);
}

static int add_link(struct instance_engine *engine, const struct run_link *link, pid_t init,
                    struct error **err)
{
	scoped(netlink_freep) struct netlink *nl = NULL;
	uint32_t mtu = link->mtu;

	scoped_fd int netns = open_netns(init);
	if (netns < 0)
		return error_set_errno(err, netns, "Failed opening the network namespace");
	int r = netlink_open(&nl);
	if (r == 0 && mtu == 0 && link->kind == RUN_LINK_BRIDGED)
		net_link_mtu(nl, link->parent, &mtu);
	if (r == 0)
		r = net_link_add_veth(nl, &(struct net_link_veth){ .name = link->host_name,
		                                                   .peer_name = link->name,
		                                                   .peer_netns_fd = netns,
		                                                   .peer_hwaddr = link->hwaddr,
		                                                   .mtu = mtu,
		                                                   .peer_mtu = mtu });
	if (r < 0)
		return error_set_errno(err, r, "Failed creating link \"%s\"", link->host_name);

	if (link->kind == RUN_LINK_BRIDGED)
		r = net_link_set_master(nl, link->host_name, link->parent);
	if (r == 0)
		r = ct_start_tune_link(nl, link);
	if (r == 0)
		r = net_link_set_up(nl, link->host_name, true);
	if (r < 0)
		error_set_errno(err, r, "Failed setting up link \"%s\"", link->host_name);
	else
		r = bring_up(engine, link->name, init, err);
	if (r < 0)
		net_link_delete(nl, link->host_name);
	return r;
}

static int remove_link(const struct run_link *link, struct error **err)
{
	scoped(netlink_freep) struct netlink *nl = NULL;

	int r = netlink_open(&nl);
	if (r == 0)
		r = net_link_delete(nl, link->host_name);
	if (r < 0 && r != -ENODEV)
		return error_set_errno(err, r, "Failed removing link \"%s\"", link->host_name);
	return 0;
}

static int change_mount(struct instance_engine *engine, const struct instance_spec *spec,
                        const struct run_mount *mount, pid_t init, bool remove, struct error **err)
{
	scoped(strbuf_done) struct strbuf payload = { 0 }, reply = { 0 };
	scoped_fd int job = -1;
	bool has_map = spec->idmap && spec->idmap->n_entries > 0;
	uint32_t flags = (remove ? CT_JOB_MOUNT_REMOVE : 0) |
	                 (mount->is_file ? CT_JOB_MOUNT_FILE : 0) |
	                 (mount->is_readonly ? CT_JOB_MOUNT_READONLY : 0) |
	                 (mount->is_recursive ? CT_JOB_MOUNT_RECURSIVE : 0) |
	                 (mount->shift && has_map ? CT_JOB_MOUNT_SHIFT : 0) |
	                 (mount->within ? CT_JOB_MOUNT_WITHIN : 0);

	bytes_put_le32(&payload, (uint32_t)init);
	bytes_put_le32(&payload, flags);
	put_text(&payload, mount->source);
	put_text(&payload, mount->target);
	if (mount->within)
		put_text(&payload, mount->within);
	int r = ct_spawner_run(engine->spawner, CT_JOB_MOUNT, &payload, NULL, 0, &job, err);
	if (r == 0)
		r = ct_spawner_reply(job, TIMEOUT_MS, &reply, NULL, 0, err);
	return r;
}

int ct_hotplug_remove(struct instance_engine *engine, const struct instance_spec *spec,
                      const struct run_config *run, struct error **err)
{
	struct ct_running running;

	int r = ct_engine_need(engine, spec->id, &running, err);
	for (size_t i = 0; r == 0 && i < run->n_links; i++)
		r = remove_link(&run->links[i], err);
	for (size_t i = run->n_mounts; r == 0 && i > 0; i--)
		r = change_mount(engine, spec, &run->mounts[i - 1], running.init, true, err);
	return r;
}

int ct_hotplug_add(struct instance_engine *engine, const struct instance_spec *spec,
                   const struct run_config *run, struct error **err)
{
	struct ct_running running;

	int r = ct_engine_need(engine, spec->id, &running, err);
	if (r == 0 && run->n_nodes > 0)
		return error_set(err, 400, "Device \"%s\" cannot be added to a running instance",
		                 run->device);
	for (size_t i = 0; r == 0 && i < run->n_links; i++)
		r = add_link(engine, &run->links[i], running.init, err);
	for (size_t i = 0; r == 0 && i < run->n_mounts; i++)
		r = change_mount(engine, spec, &run->mounts[i], running.init, false, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;
		ct_hotplug_remove(engine, spec, run, &ignored);
	}
	return r;
}
