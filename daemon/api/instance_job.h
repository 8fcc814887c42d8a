/* Operations on one instance, as handlers of several files make them: the same in all but words. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/operation.h"
#include "lib/base/error.h"

struct instance;
struct request;
struct response;
struct state;

/* What the operation works with; owned, and which texts mean what is up to who makes it. */
struct instance_job {
	struct state *state;
	char *project;
	char *name;
	char *snapshot;
	char *new_name;
	char *text;
	int64_t number;
	bool with_volumes;
};

struct instance_job_spec {
	const char *description;  /* "Renaming instance" */
	const char *entity_url;   /* NULL: the instance's. */
	const char *original_url; /* metadata.original_entity_url, or NULL. */
	operation_run *run;       /* Its argument is the struct instance_job. */
	const char *snapshot;     /* Copied into the job, as the next ones. */
	const char *new_name;
	const char *text;
	int64_t number;
	bool with_volumes;  /* Of snapshots: the attached volumes as well. */
	bool is_done_first; /* Carried out before the answer, which then tells what failed. */
};

/* Makes the operation and answers with it. */
int instance_job_start(struct request *req, struct response *res, const struct instance *inst,
                       const struct instance_job_spec *spec, struct error **err);
