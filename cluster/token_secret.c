#include "cluster/token_secret.h"

#include "cluster/certificate.h"
#include "lib/base/alloc.h"
#include "lib/data/jv.h"
#include "lib/net/seal.h"

#define KEY "sealed_secret"
#define LABEL "muster token"

void token_secret_keep(struct cluster *cluster, struct json_object *data, const char *secret)
{
	scoped(certificate_freep) struct certificate *cert = certificate_of_listener(cluster);
	scoped_free char *sealed = seal_close(cert->key, LABEL, secret);

	jv_set_string(data, KEY, sealed);
}

char *token_secret_take(struct cluster *cluster, struct json_object *data)
{
	scoped(certificate_freep) struct certificate *cert = certificate_of_listener(cluster);
	const char *sealed = jv_text(data, KEY);
	char *secret = sealed ? seal_open(cert->key, LABEL, sealed) : NULL;

	jv_unset(data, KEY);
	return secret ? secret : xstrdup("");
}
