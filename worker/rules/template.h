#ifndef EDS_RULES_TEMPLATE_H
#define EDS_RULES_TEMPLATE_H

#include "ipc/base/err.h"
#include "worker/rules/dom.h"

/*
 * The `path` of a rule: text with actions in double braces, the part of Go's html/template that says where something
 * of a document stands: {{.a.b}} and {{index .a 0 "b"}}.  What is missing or null is empty.
 */
struct template;

enum template_form {
	TEMPLATE_HTML,		/* as html/template writes values: & < > " ' + escaped, numbers as doubles */
	TEMPLATE_PLAIN,		/* texts as they are, numbers as they stand in the document */
};

/* The text must last as long as the arena.  ERR_CONFIG: which action, and what would do. */
int	 template_parse(struct arena *, struct slice text, enum template_form, struct template **template_r, struct err *)
    MUST_CHECK;

/*
 * Appends a path of one or more elements, or nothing: no element is empty, "." or "..", and none begins with a slash
 * (hazards.md H34).  A slash or control character within a value becomes %XX, and values cannot make an element "..".
 * False: *why_r says why the document has no such path, and nothing of the document; NULL: memory is short.
 */
bool	 template_render(const struct template *, const struct dom *, struct buf *, const char **why_r) MUST_CHECK;

#endif
