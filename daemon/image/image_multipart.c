#include "daemon/image/image_multipart.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#define MAX_BOUNDARY 70 /* RFC 2046, 5.1.1. */
#define MAX_HEAD 8192

void image_multipart_done(struct image_multipart *multipart)
{
	for (size_t i = 0; i < multipart->n_parts; i++) {
		free(multipart->parts[i].name);
		free(multipart->parts[i].filename);
	}
	*multipart = (struct image_multipart){ 0 };
}

static int invalid(struct error **err)
{
	return error_set(err, 400, "Invalid multipart image");
}

/* The value of a parameter ("boundary") of a header's value, in quotes or not; owned, or NULL. */
static char *parameter(const char *value, const char *name)
{
	scoped_free char *wanted = xasprintf("%s=", name);

	for (const char *at = strchr(value, ';'); at; at = strchr(at, ';')) {
		at++;
		while (*at == ' ')
			at++;
		if (strncasecmp(at, wanted, strlen(wanted)) != 0)
			continue;
		at += strlen(wanted);
		if (*at != '"')
			return xasprintf("%.*s", (int)strcspn(at, "; "), at);
		const char *end = strchr(at + 1, '"');
		return end ? xasprintf("%.*s", (int)(end - at - 1), at + 1) : NULL;
	}
	return NULL;
}

/* Name and file name from the part's headers, which end before 'end'. */
static int parse_head(const char *head, size_t size, struct image_multipart_part *part,
                      struct error **err)
{
	scoped_free char *text = xasprintf("%.*s", (int)size, head);
	char *save = NULL;

	for (char *line = strtok_r(text, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save)) {
		static const char key[] = "content-disposition:";

		if (strncasecmp(line, key, sizeof(key) - 1) != 0)
			continue;
		free(part->name);
		free(part->filename);
		part->name = parameter(line, "name");
		part->filename = parameter(line, "filename");
	}
	if (!part->filename)
		part->filename = xstrdup("");
	return part->name ? 0 : invalid(err);
}

int image_multipart_parse(const char *data, size_t size, const char *content_type,
                          struct image_multipart *ret_multipart, struct error **err)
{
	scoped(image_multipart_done) struct image_multipart multipart = { 0 };
	scoped_free char *boundary = parameter(content_type, "boundary");

	if (str_is_empty(boundary) || strlen(boundary) > MAX_BOUNDARY)
		return invalid(err);
	scoped_free char *first = xasprintf("--%s\r\n", boundary);
	scoped_free char *next = xasprintf("\r\n--%s", boundary);
	size_t next_len = strlen(next), at = strlen(first);

	if (size < at || memcmp(data, first, at) != 0)
		return invalid(err);
	for (;;) {
		struct image_multipart_part *part = &multipart.parts[multipart.n_parts];
		size_t left = size - at;
		const char *head_end =
			memmem(data + at, left < MAX_HEAD ? left : MAX_HEAD, "\r\n\r\n", 4);

		if (multipart.n_parts == IMAGE_MULTIPART_MAX_PARTS || !head_end)
			return invalid(err);
		multipart.n_parts++;
		if (parse_head(data + at, (size_t)(head_end - data) - at, part, err) < 0)
			return (*err)->code;

		part->offset = (size_t)(head_end - data) + 4;
		const char *end = memmem(data + part->offset, size - part->offset, next, next_len);
		if (!end)
			return invalid(err);
		part->size = (size_t)(end - data) - part->offset;
		at = (size_t)(end - data) + next_len;
		if (size - at >= 2 && memcmp(data + at, "--", 2) == 0)
			break;
		if (size - at < 2 || memcmp(data + at, "\r\n", 2) != 0)
			return invalid(err);
		at += 2;
	}

	*ret_multipart = multipart;
	multipart = (struct image_multipart){ 0 };
	return 0;
}
