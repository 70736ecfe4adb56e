/* The keywords of all drafts as one table. */

#include "worker/rules/schema_private.h"

#define D4	(1u << DRAFT_4)
#define D6	(1u << DRAFT_6)
#define D7	(1u << DRAFT_7)
#define D19	(1u << DRAFT_2019)
#define D20	(1u << DRAFT_2020)
#define ALL	(D4 | D6 | D7 | D19 | D20)
#define FROM_6	(ALL & ~D4)
#define FROM_7	(FROM_6 & ~D6)
#define FROM_19	(D19 | D20)
#define UP_TO_7	(D4 | D6 | D7)
#define UP_TO_19 (UP_TO_7 | D19)

const struct keyword keywords[] = {
#define KEYWORD(name, drafts, holds, op)	{ name, drafts, holds, OP_##op },
#include "worker/rules/keywords.def"
#undef KEYWORD
};
const size_t n_keywords = NELEM(keywords);
