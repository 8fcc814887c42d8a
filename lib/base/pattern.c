/*
 * A pattern becomes a tree, the tree a program, and the program is run on all its threads side by
 * side (Pike's virtual machine; see Cox, "Regular Expression Matching: the Virtual Machine
 * Approach"). Sizes are limited, so that neither nested counts nor deep brackets cost much.
 */
#include "lib/base/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"

#define MAX_TEXT 4096
#define MAX_NODES 8192
#define MAX_PROGRAM 8192
#define MAX_DEPTH 64
#define MAX_COUNT 1000 /* As RE2's. */
#define NO_LIMIT UINT16_MAX

enum node_type {
	EMPTY,
	SET,
	LINE_START,
	LINE_END,
	WORD_EDGE,
	NO_WORD_EDGE,
	CONCAT,
	EITHER,
	REPEAT
};

struct set {
	uint32_t bits[8]; /* A bit for each byte. */
	bool has_tail;    /* A character of UTF-8: the bytes 80 to BF that follow belong to it. */
};

struct node {
	enum node_type type;
	uint16_t left, right; /* Nodes; a set for SET. */
	uint16_t min, max;    /* For REPEAT. */
};

enum op {
	OP_SET,
	OP_SPLIT,
	OP_JUMP,
	OP_LINE_START,
	OP_LINE_END,
	OP_WORD_EDGE,
	OP_NO_WORD_EDGE,
	OP_MATCH
};

struct inst {
	uint16_t op;
	uint16_t x, y; /* Where to go on; a set for OP_SET. */
};

struct pattern {
	ARRAY_OF(struct set) sets;
	ARRAY_OF(struct inst) program;
	bool ignore_case;
};

struct parser {
	const char *at;
	struct pattern *pattern;
	ARRAY_OF(struct node) nodes;
	int depth;
	int problem; /* The first negative errno. */
};

static uint16_t fail(struct parser *p, int problem)
{
	if (!p->problem)
		p->problem = problem;
	p->at = "";
	return 0;
}

static uint16_t add_node(struct parser *p, struct node node)
{
	if (p->nodes.n_items == MAX_NODES)
		return fail(p, -E2BIG);

	ARRAY_ADD(&p->nodes, node);
	return (uint16_t)(p->nodes.n_items - 1);
}

static void set_add(struct set *set, unsigned first, unsigned last)
{
	for (unsigned c = first; c <= last; c++)
		set->bits[c / 32] |= UINT32_C(1) << (c % 32);
}

static bool set_has(const struct set *set, unsigned char c)
{
	return set->bits[c / 32] >> (c % 32) & 1;
}

static void set_invert(struct set *set)
{
	for (size_t i = 0; i < COUNT_OF(set->bits); i++)
		set->bits[i] = ~set->bits[i];

	/* What begins a character, not what goes on with one. */
	for (unsigned c = 0x80; c <= 0xBF; c++)
		set->bits[c / 32] &= ~(UINT32_C(1) << (c % 32));
	set->has_tail = true;
}

/* Adds one of \d \w \s and their opposites; returns whether 'c' names one. */
static bool set_add_class(struct set *set, char c)
{
	struct set class = { 0 };

	switch (tolower((unsigned char)c)) {
	case 'd':
		set_add(&class, '0', '9');
		break;
	case 'w':
		set_add(&class, '0', '9');
		set_add(&class, 'A', 'Z');
		set_add(&class, 'a', 'z');
		set_add(&class, '_', '_');
		break;
	case 's':
		set_add(&class, '\t', '\n');
		set_add(&class, '\f', '\r');
		set_add(&class, ' ', ' ');
		break;
	default:
		return false;
	}
	if (isupper((unsigned char)c))
		set_invert(&class);
	for (size_t i = 0; i < COUNT_OF(set->bits); i++)
		set->bits[i] |= class.bits[i];
	set->has_tail |= class.has_tail;
	return true;
}

/* Adds the other case of each letter. */
static void set_fold(struct set *set)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		unsigned upper = c - 'a' + 'A';

		if (set_has(set, (unsigned char)c))
			set_add(set, upper, upper);
		else if (set_has(set, (unsigned char)upper))
			set_add(set, c, c);
	}
}

static uint16_t add_set(struct parser *p, struct set set)
{
	if (p->pattern->sets.n_items == MAX_NODES)
		return fail(p, -E2BIG);

	ARRAY_ADD(&p->pattern->sets, set);
	return add_node(p, (struct node){
				   .type = SET,
				   .left = (uint16_t)(p->pattern->sets.n_items - 1),
			   });
}

static uint16_t add_byte(struct parser *p, unsigned char c)
{
	struct set set = { 0 };

	set_add(&set, c, c);
	if (p->pattern->ignore_case)
		set_fold(&set);
	return add_set(p, set);
}

/* The byte that an escape stands for; -1 if it is none. 'at' is behind the backslash. */
static int escaped_byte(char c)
{
	static const char names[] = "nrtfv", values[] = "\n\r\t\f\v";
	const char *found = c ? strchr(names, c) : NULL;

	if (found)
		return values[found - names];

	return ispunct((unsigned char)c) ? c : -1;
}

static uint16_t parse_escape(struct parser *p)
{
	struct set set = { 0 };
	char c = *p->at;

	if (!c)
		return fail(p, -EINVAL);

	p->at++;
	if (set_add_class(&set, c))
		return add_set(p, set);
	if (c == 'b' || c == 'B')
		return add_node(p, (struct node){ .type = c == 'b' ? WORD_EDGE : NO_WORD_EDGE });
	if (c == 'A' || c == 'z')
		return add_node(p, (struct node){ .type = c == 'A' ? LINE_START : LINE_END });

	int byte = escaped_byte(c);
	return byte < 0 ? fail(p, -EINVAL) : add_byte(p, (unsigned char)byte);
}

/* "[:alpha:]" and its like inside of brackets; returns whether there is one. */
static bool take_named_class(struct parser *p, struct set *set)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} classes[] = {
		{ "alnum", isalnum }, { "alpha", isalpha }, { "blank", isblank },
		{ "cntrl", iscntrl }, { "digit", isdigit }, { "graph", isgraph },
		{ "lower", islower }, { "print", isprint }, { "punct", ispunct },
		{ "space", isspace }, { "upper", isupper }, { "xdigit", isxdigit },
	};

	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		size_t len = strlen(classes[i].name);

		if (strncmp(p->at, "[:", 2) != 0 || strncmp(p->at + 2, classes[i].name, len) != 0 ||
		    strncmp(p->at + 2 + len, ":]", 2) != 0)
			continue;

		p->at += len + 4;
		for (unsigned c = 0; c < 128; c++)
			if (classes[i].is((int)c))
				set_add(set, c, c);
		return true;
	}
	return false;
}

/* One byte of a bracket expression, or -1 after adding a class. */
static int take_set_byte(struct parser *p, struct set *set)
{
	if (take_named_class(p, set))
		return -1;
	if (*p->at != '\\')
		return (unsigned char)*p->at++;

	char c = *++p->at;
	if (c)
		p->at++;
	if (set_add_class(set, c))
		return -1;

	int byte = escaped_byte(c);
	if (byte < 0)
		fail(p, -EINVAL);
	return byte;
}

static uint16_t parse_set(struct parser *p)
{
	struct set set = { 0 };
	bool is_inverted = *p->at == '^';

	p->at += is_inverted;
	for (bool is_first = true; is_first || *p->at != ']'; is_first = false) {
		if (!*p->at)
			return fail(p, -EINVAL);

		int first = take_set_byte(p, &set), last = first;
		if (first < 0)
			continue;
		if (p->at[0] == '-' && p->at[1] && p->at[1] != ']') {
			p->at++;
			last = take_set_byte(p, &set);
			if (last < first)
				return fail(p, -EINVAL);
		}
		set_add(&set, (unsigned)first, (unsigned)last);
	}
	if (*p->at)
		p->at++;
	if (p->pattern->ignore_case)
		set_fold(&set);
	if (is_inverted)
		set_invert(&set);
	return add_set(p, set);
}

static uint16_t parse_either(struct parser *p);

static uint16_t parse_group(struct parser *p)
{
	if (p->at[0] == '?') {
		if (p->at[1] != ':')
			return fail(p, -EINVAL);
		p->at += 2;
	}
	if (++p->depth > MAX_DEPTH)
		return fail(p, -E2BIG);

	uint16_t node = parse_either(p);
	p->depth--;
	if (*p->at != ')')
		return fail(p, -EINVAL);

	p->at++;
	return node;
}

static uint16_t parse_atom(struct parser *p)
{
	struct set any = { 0 };
	char c = *p->at++;

	switch (c) {
	case '(':
		return parse_group(p);
	case '[':
		return parse_set(p);
	case '\\':
		return parse_escape(p);
	case '^':
		return add_node(p, (struct node){ .type = LINE_START });
	case '$':
		return add_node(p, (struct node){ .type = LINE_END });
	case '.':
		set_add(&any, '\n', '\n');
		set_invert(&any);
		return add_set(p, any);
	case '*':
	case '+':
	case '?':
		return fail(p, -EINVAL);
	default:
		return add_byte(p, (unsigned char)c);
	}
}

/* "{n}", "{n,}" or "{n,m}"; anything else with a brace is text. */
static bool take_count(struct parser *p, uint16_t *ret_min, uint16_t *ret_max)
{
	char *end;

	if (*p->at != '{' || !isdigit((unsigned char)p->at[1]))
		return false;

	unsigned long min = strtoul(p->at + 1, &end, 10), max = min;
	if (*end == ',') {
		end++;
		max = NO_LIMIT;
		if (isdigit((unsigned char)*end))
			max = strtoul(end, &end, 10);
	}
	if (*end != '}')
		return false;
	if (min > MAX_COUNT || (max > MAX_COUNT && max != NO_LIMIT) || max < min) {
		fail(p, -EINVAL);
		return false;
	}

	p->at = end + 1;
	*ret_min = (uint16_t)min;
	*ret_max = (uint16_t)max;
	return true;
}

static bool take_repeat(struct parser *p, uint16_t *ret_min, uint16_t *ret_max)
{
	char c = *p->at;

	if (c == '*' || c == '+' || c == '?') {
		*ret_min = c == '+';
		*ret_max = c == '?' ? 1 : NO_LIMIT;
		p->at++;
		return true;
	}
	return take_count(p, ret_min, ret_max);
}

static uint16_t parse_repeat(struct parser *p)
{
	uint16_t node = parse_atom(p), min, max;

	if (!take_repeat(p, &min, &max))
		return node;
	if (*p->at == '?') /* Lazy: matters only for what is captured. */
		p->at++;

	node = add_node(p, (struct node){ .type = REPEAT, .left = node, .min = min, .max = max });
	return take_repeat(p, &min, &max) ? fail(p, -EINVAL) : node;
}

static uint16_t parse_concat(struct parser *p)
{
	uint16_t node = add_node(p, (struct node){ .type = EMPTY });

	while (*p->at && *p->at != '|' && *p->at != ')') {
		uint16_t next = parse_repeat(p);

		node = add_node(p, (struct node){ .type = CONCAT, .left = node, .right = next });
	}
	return node;
}

static uint16_t parse_either(struct parser *p)
{
	uint16_t node = parse_concat(p);

	while (*p->at == '|') {
		p->at++;

		uint16_t next = parse_concat(p);
		node = add_node(p, (struct node){ .type = EITHER, .left = node, .right = next });
	}
	return node;
}

static uint16_t emit(struct parser *p, uint16_t op, size_t x, size_t y)
{
	if (p->pattern->program.n_items == MAX_PROGRAM) {
		fail(p, -E2BIG);
		return 0;
	}
	ARRAY_ADD(&p->pattern->program, (struct inst){ op, (uint16_t)x, (uint16_t)y });
	return (uint16_t)(p->pattern->program.n_items - 1);
}

static size_t here(const struct parser *p)
{
	return p->pattern->program.n_items;
}

static void emit_node(struct parser *p, uint16_t index);

static void emit_set(struct parser *p, uint16_t set)
{
	static const struct set tail = { .bits = { [4] = UINT32_MAX, [5] = UINT32_MAX } };

	emit(p, OP_SET, set, 0);
	if (!p->pattern->sets.items[set].has_tail)
		return;

	/* (tail)*; the set for it is added once for each use, which is rare. */
	ARRAY_ADD(&p->pattern->sets, tail);
	size_t at = here(p);
	emit(p, OP_SPLIT, at + 1, at + 3);
	emit(p, OP_SET, p->pattern->sets.n_items - 1, 0);
	emit(p, OP_JUMP, at, 0);
}

static void emit_repeat(struct parser *p, const struct node *n)
{
	for (unsigned i = 0; i < n->min && !p->problem; i++)
		emit_node(p, n->left);

	if (n->max == NO_LIMIT) {
		uint16_t split = emit(p, OP_SPLIT, here(p) + 1, 0);

		emit_node(p, n->left);
		emit(p, OP_JUMP, split, 0);
		p->pattern->program.items[split].y = (uint16_t)here(p);
		return;
	}
	for (unsigned i = n->min; i < n->max && !p->problem; i++) {
		uint16_t split = emit(p, OP_SPLIT, here(p) + 1, 0);

		emit_node(p, n->left);
		p->pattern->program.items[split].y = (uint16_t)here(p);
	}
}

static void emit_either(struct parser *p, const struct node *n)
{
	uint16_t split = emit(p, OP_SPLIT, here(p) + 1, 0);

	emit_node(p, n->left);
	uint16_t jump = emit(p, OP_JUMP, 0, 0);
	p->pattern->program.items[split].y = (uint16_t)here(p);
	emit_node(p, n->right);
	p->pattern->program.items[jump].x = (uint16_t)here(p);
}

static void emit_node(struct parser *p, uint16_t index)
{
	const struct node n = p->nodes.items[index];

	if (p->problem)
		return;

	switch (n.type) {
	case EMPTY:
		break;
	case SET:
		emit_set(p, n.left);
		break;
	case LINE_START:
		emit(p, OP_LINE_START, 0, 0);
		break;
	case LINE_END:
		emit(p, OP_LINE_END, 0, 0);
		break;
	case WORD_EDGE:
		emit(p, OP_WORD_EDGE, 0, 0);
		break;
	case NO_WORD_EDGE:
		emit(p, OP_NO_WORD_EDGE, 0, 0);
		break;
	case CONCAT:
		emit_node(p, n.left);
		emit_node(p, n.right);
		break;
	case EITHER:
		emit_either(p, &n);
		break;
	case REPEAT:
		emit_repeat(p, &n);
		break;
	}
}

int pattern_compile(const char *text, bool ignore_case, struct pattern **ret)
{
	scoped(pattern_freep) struct pattern *pattern = xcalloc(1, sizeof(*pattern));
	struct parser p = { .at = text, .pattern = pattern };

	if (strlen(text) > MAX_TEXT)
		return -E2BIG;

	pattern->ignore_case = ignore_case;
	uint16_t root = parse_either(&p);
	if (*p.at)
		fail(&p, -EINVAL); /* A bracket that nothing opened. */
	if (!p.problem) {
		emit_node(&p, root);
		emit(&p, OP_MATCH, 0, 0);
	}
	ARRAY_DONE(&p.nodes);
	if (p.problem)
		return p.problem;

	*ret = TAKE_PTR(pattern);
	return 0;
}

/* A set of program positions: those in dense[0 .. n] that sparse[] points back to. */
struct threads {
	uint16_t *dense, *sparse;
	size_t n;
};

struct match {
	const struct pattern *pattern;
	const char *start, *at;
	uint16_t *todo;
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool is_word_edge(const struct match *m)
{
	bool before = m->at > m->start && is_word(m->at[-1]);

	return before != is_word(*m->at);
}

static bool holds(const struct match *m, uint16_t op)
{
	switch (op) {
	case OP_LINE_START:
		return m->at == m->start;
	case OP_LINE_END:
		return *m->at == '\0';
	case OP_WORD_EDGE:
		return is_word_edge(m);
	case OP_NO_WORD_EDGE:
		return !is_word_edge(m);
	default:
		return true;
	}
}

static bool add_thread(struct threads *t, uint16_t pc)
{
	if (t->sparse[pc] < t->n && t->dense[t->sparse[pc]] == pc)
		return false;

	t->sparse[pc] = (uint16_t)t->n;
	t->dense[t->n++] = pc;
	return true;
}

/* Adds 'pc' and all that can be reached from it without reading; returns whether it matches. */
static bool follow(struct match *m, struct threads *t, uint16_t pc)
{
	size_t n_todo = 0;

	m->todo[n_todo++] = pc;
	while (n_todo) {
		pc = m->todo[--n_todo];

		const struct inst *inst = &m->pattern->program.items[pc];
		if (!add_thread(t, pc) || !holds(m, inst->op))
			continue;
		if (inst->op == OP_MATCH)
			return true;
		if (inst->op == OP_SET)
			continue;
		if (inst->op == OP_SPLIT)
			m->todo[n_todo++] = inst->y;
		m->todo[n_todo++] =
			inst->op == OP_SPLIT || inst->op == OP_JUMP ? inst->x : (uint16_t)(pc + 1);
	}
	return false;
}

static bool run(struct match *m, struct threads *now, struct threads *next)
{
	for (;; m->at++) {
		/* A match may begin anywhere. */
		if (follow(m, now, 0))
			return true;
		if (!*m->at)
			return false;

		unsigned char c = (unsigned char)*m->at;
		next->n = 0;
		m->at++;
		for (size_t i = 0; i < now->n; i++) {
			const struct inst *inst = &m->pattern->program.items[now->dense[i]];

			if (inst->op == OP_SET && set_has(&m->pattern->sets.items[inst->x], c) &&
			    follow(m, next, (uint16_t)(now->dense[i] + 1)))
				return true;
		}
		m->at--;

		struct threads *swap = now;
		now = next;
		next = swap;
	}
}

bool pattern_matches(const struct pattern *p, const char *s)
{
	size_t n = p->program.n_items;

	/* Each instruction is added once and puts at most two on the list of what is to do. */
	scoped_free uint16_t *memory = xcalloc(6 * n + 2, sizeof(*memory));
	struct threads now = { memory, memory + n, 0 };
	struct threads next = { memory + 2 * n, memory + 3 * n, 0 };
	struct match m = { p, s, s, memory + 4 * n };

	return run(&m, &now, &next);
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;

	ARRAY_DONE(&p->sets);
	ARRAY_DONE(&p->program);
	free(p);
}
