#include "drivers/host/host.h"

int host_volatile_write(const struct host *host, const char *project, const char *instance,
                        const struct host_change *changes, size_t n_changes, struct error **err)
{
	if (!host->ops || !host->ops->volatile_write)
		return 0;
	return host->ops->volatile_write(host->arg, project, instance, changes, n_changes, err);
}

void host_warning_raise(const struct host *host, const char *project, const char *type,
                        const char *entity_url, const char *message)
{
	if (host->ops && host->ops->warning_raise)
		host->ops->warning_raise(host->arg, project, type, entity_url, message);
}

void host_warning_resolve(const struct host *host, const char *project, const char *type,
                          const char *entity_url)
{
	if (host->ops && host->ops->warning_resolve)
		host->ops->warning_resolve(host->arg, project, type, entity_url);
}
