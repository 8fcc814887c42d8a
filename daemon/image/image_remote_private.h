/* What fetching from and sending to another server have in common; for daemon/image only. */
#pragma once

#include "lib/base/macro.h"

struct http_client;

/* A client of a server that image_remote_check() has passed. */
struct http_client *image_remote_client(const char *server, const char *certificate) MUST_CHECK;

/* 'path' with ?project= and ?secret= unless they are empty; owned by the caller. */
char *image_remote_path(const char *path, const char *project, const char *secret) MUST_CHECK;
