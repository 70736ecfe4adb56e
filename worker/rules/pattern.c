/* Regular expressions, with an end to every search. */

#define PCRE2_CODE_UNIT_WIDTH	8

#include <pcre2.h>
#include <stdlib.h>

#include "worker/rules/pattern.h"

#define HEAP_KIB	8192u

struct pattern {
	pcre2_code		*code;
	pcre2_match_data	*match;
	pcre2_match_context	*limits;
	bool			 anchored;
};

void
pattern_free(struct pattern **pp)
{
	struct pattern	*p = *pp;

	if (p == NULL)
		return;
	pcre2_match_context_free(p->limits);
	pcre2_match_data_free(p->match);
	pcre2_code_free(p->code);
	free(p);
	*pp = NULL;
}

/* \uXXXX is ECMAScript's; with it \x{...}, which is Go's, would be something else. */
static void
choose(struct slice text, pcre2_compile_context *c, uint32_t *options)
{
	*options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF |
	    PCRE2_NEVER_BACKSLASH_C;
	if (memmem(text.p, text.n, "\\u", 2) == NULL)
		return;
	*options |= PCRE2_ALT_BSUX;
	(void)pcre2_set_compile_extra_options(c, PCRE2_EXTRA_ALT_BSUX);
}

static pcre2_code *
compile(struct slice text, struct err *err)
{
	pcre2_compile_context	*c = pcre2_compile_context_create(NULL);
	pcre2_code		*code = NULL;
	PCRE2_SIZE		 at = 0;
	PCRE2_UCHAR		 why[200];
	uint32_t		 options;
	int			 number = 0;

	if (c == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for a pattern");
		return NULL;
	}
	choose(text, c, &options);
	code = pcre2_compile((PCRE2_SPTR)text.p, text.n, options, &number, &at, c);
	pcre2_compile_context_free(c);
	if (code == NULL) {
		(void)pcre2_get_error_message(number, why, sizeof(why));
		(void)err_set(err, ERR_CONFIG, "%s at character %zu", (const char *)why, (size_t)at);
	}
	return code;
}

struct pattern *
pattern_new(struct slice text, struct err *err)
{
	struct pattern	*p = calloc(1, sizeof(*p));
	uint32_t	 options = 0;

	if (p == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for a pattern");
		return NULL;
	}
	if ((p->code = compile(text.n == 0 ? SLICE("") : text, err)) == NULL) {
		pattern_free(&p);
		return NULL;
	}
	p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
	p->limits = pcre2_match_context_create(NULL);
	if (p->match == NULL || p->limits == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for a pattern");
		pattern_free(&p);
		return NULL;
	}
	(void)pcre2_set_heap_limit(p->limits, HEAP_KIB);
	(void)pcre2_pattern_info(p->code, PCRE2_INFO_ALLOPTIONS, &options);
	p->anchored = (options & PCRE2_ANCHORED) != 0;
	return p;
}

/*
 * The library's limit holds for the search from one place in the text, and what it runs over without
 * coming back is not counted; from every place of a long text that would be too much.
 */
static uint32_t
steps_for(const struct pattern *p, size_t n)
{
	uint32_t	 steps = p->anchored ? PATTERN_STEPS : PATTERN_STEPS / (uint32_t)(n + 1);

	return steps < PATTERN_STEPS_LEAST ? PATTERN_STEPS_LEAST : steps;
}

enum pattern_result
pattern_find(const struct pattern *p, struct slice text)
{
	int	 rc;

	if (!p->anchored && text.n > PATTERN_TEXT_MOST)
		return PATTERN_GIVEN_UP;
	(void)pcre2_set_match_limit(p->limits, steps_for(p, text.n));
	rc = pcre2_match(p->code, (PCRE2_SPTR)(text.n == 0 ? "" : text.p), text.n, 0, PCRE2_NO_UTF_CHECK, p->match, p->limits);
	return rc >= 0 ? PATTERN_FOUND : rc == PCRE2_ERROR_NOMATCH ? PATTERN_NOT : PATTERN_GIVEN_UP;
}
