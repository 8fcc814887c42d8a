/* What running instances of this member use, as samples. */
#pragma once

#include "lib/base/error.h"

struct db_view;
struct request;
struct strbuf;

/* Appends the samples of all that the requestor may see. The view holds INSTANCE_FAMILIES. */
void metrics_instances_add(struct strbuf *b, const struct request *req, struct db_view *view);

/* A label's value: backslash, quote and line break are escaped. */
void metrics_instances_label(struct strbuf *b, const char *value);
