#include "daemon/project/placement_conf.h"

#include <stddef.h>

static const char *const policies[] = { "spread", "compact", NULL };
static const char *const rigors[] = { "strict", "permissive", NULL };

const struct conf_key placement_conf_keys[] = {
	{ .name = "policy",
	  .type = CONF_ENUM,
	  .flags = CONF_REQUIRED,
	  .choices = policies,
	  .doc = "Whether instances of the group go to different members or to the same one." },
	{ .name = "rigor",
	  .type = CONF_ENUM,
	  .flags = CONF_REQUIRED,
	  .choices = rigors,
	  .doc = "Whether an instance that cannot follow the policy is refused or placed anyway." },
	{ .name = "user.*",
	  .type = CONF_STRING,
	  .doc = "Free for users; never read by the daemon." },
	{ .name = NULL },
};
