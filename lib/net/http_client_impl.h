/* The inside of a client, shared by its plain requests and its upgrades. */
#pragma once

#include "lib/base/list.h"
#include "lib/base/refs.h"
#include "lib/base/thread.h"
#include "lib/net/http_client.h"

struct http_client {
	struct refs refs;
	char *unix_path;
	char *base; /* "https://host:port", no slash at its end. */
	char *server_cert_pem;
	char *pin; /* Of its key, for curl. */
	bool trust_system, trust_any;
	char *cert_path, *key_path;
	char *user_agent;
	unsigned connect_ms, keep_idle;

	struct mutex lock;
	struct list idle GUARDED; /* struct handle, last used first. */
	unsigned n_idle GUARDED;
};
