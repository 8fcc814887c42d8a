#include "daemon/core/upload_pass.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/thread.h"
#include "lib/net/digest.h"

#define MAX_PASSES 256

struct pass {
	uint8_t digest[DIGEST_SHA256_SIZE];
	int64_t deadline; /* 0: free. */
};

struct upload_passes {
	struct mutex lock;
	struct pass passes[MAX_PASSES] GUARDED;
	size_t next GUARDED;
};

struct upload_passes *upload_passes_new(void)
{
	struct upload_passes *passes = xcalloc(1, sizeof(*passes));

	mutex_init(&passes->lock);
	return passes;
}

void upload_passes_free(struct upload_passes *passes)
{
	if (!passes)
		return;

	mutex_done(&passes->lock);
	free(passes);
}

void upload_pass_add(struct upload_passes *passes, const char *secret, int64_t deadline)
{
	mutex_lock(&passes->lock);
	struct pass *pass = &passes->passes[passes->next++ % MAX_PASSES];
	digest_sha256(secret, strlen(secret), pass->digest);
	pass->deadline = deadline;
	mutex_unlock(&passes->lock);
}

/* Its place is free when 'forgets'. */
static bool find(struct upload_passes *passes, const char *secret, bool forgets)
{
	uint8_t digest[DIGEST_SHA256_SIZE];
	bool is_known = false;

	digest_sha256(secret, strlen(secret), digest);
	mutex_lock(&passes->lock);
	for (size_t i = 0; i < MAX_PASSES; i++) {
		struct pass *pass = &passes->passes[i];

		if (pass->deadline == 0 || date_left(pass->deadline) == 0 ||
		    gnutls_memcmp(pass->digest, digest, sizeof(digest)) != 0)
			continue;
		is_known = true;
		if (forgets)
			pass->deadline = 0;
	}
	mutex_unlock(&passes->lock);
	return is_known;
}

void upload_pass_forget(struct upload_passes *passes, const char *secret)
{
	(void)find(passes, secret, true);
}

bool upload_pass_is_known(struct upload_passes *passes, const char *secret)
{
	return find(passes, secret, false);
}
