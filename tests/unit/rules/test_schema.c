/* JSON Schema, keyword by keyword.  ' stands for " in all JSON of this file. */

#include <stdio.h>
#include <stdlib.h>

#include "worker/rules/pattern.h"
#include "worker/rules/schema.h"
#include "tests/support/cmocka_all.h"

#define URI	"file:///s.json"
#define LONG_TEXT	(PATTERN_TEXT_MOST + 1)

struct world {
	struct arena		 arena;
	struct dom_maker	 maker;
	struct schema_set	*set;
	const struct schema	*schema;
	struct err		 err;
};

static struct dom *
read_json(struct world *w, const char *quoted)
{
	struct slice	 text = arena_copy(&w->arena, slice_of(quoted));
	char		*own = arena_get(&w->arena, text.n + 1);
	struct dom	*d = arena_get(&w->arena, sizeof(*d));
	struct json_val	 root;

	for (size_t i = 0; i <= text.n; i++)
		own[i] = text.p[i] == '\'' ? '"' : text.p[i];
	if (json_scan((struct slice){ own, text.n }, false, &root, &w->err) != 0)
		fail_msg("%s: %s", quoted, w->err.text);
	assert_int_equal(dom_make(&w->maker, &root, d), 0);
	return d;
}

static void
begin(struct world *w)
{
	*w = (struct world){ .set = schema_set_new() };
	assert_non_null(w->set);
	w->maker.arena = &w->arena;
}

static void
end(struct world *w)
{
	schema_set_free(&w->set);
	dom_maker_free(&w->maker);
	arena_free(&w->arena);
}

static void
add(struct world *w, const char *name, const char *uri, const char *json)
{
	if (schema_set_add(w->set, name, read_json(w, json), &uri, 1, &w->err) != 0)
		fail_msg("%s: %s", json, w->err.text);
}

static enum schema_result
check(struct world *w, const char *json, const char **where)
{
	return schema_check(w->set, w->schema, read_json(w, json), where);
}

/* Up to eight values that fit, and that do not. */
struct keyword_case {
	const char	*schema;
	const char	*fit[8], *differ[8];
};

#define D4	"'$schema':'http://json-schema.org/draft-04/schema#',"
#define D6	"'$schema':'http://json-schema.org/draft-06/schema#',"
#define D7	"'$schema':'http://json-schema.org/draft-07/schema#',"
#define D19	"'$schema':'https://json-schema.org/draft/2019-09/schema',"

static void
expect(const struct keyword_case *c)
{
	struct world	 w;
	const char	*where;

	begin(&w);
	add(&w, "s.json", URI, c->schema);
	if (schema_set_compile(w.set, URI, &w.schema, &w.err) != 0)
		fail_msg("%s: %s", c->schema, w.err.text);
	for (size_t i = 0; i < 8 && c->fit[i] != NULL; i++)
		if (check(&w, c->fit[i], &where) != SCHEMA_FITS)
			fail_msg("%s should take %s: %s", c->schema, c->fit[i], where);
	for (size_t i = 0; i < 8 && c->differ[i] != NULL; i++)
		if (check(&w, c->differ[i], &where) != SCHEMA_DIFFERS)
			fail_msg("%s should not take %s", c->schema, c->differ[i]);
	end(&w);
}

#define EXPECT_ALL(cases) \
	for (size_t i_ = 0; i_ < NELEM(cases); i_++) \
		expect(&(cases)[i_])

static void
values_by_themselves(void **state)
{
	static const struct keyword_case cases[] = {
		{ "true", { "1", "null" }, { NULL } },
		{ "false", { NULL }, { "1", "null" } },
		{ "{}", { "1", "{'a':1}" }, { NULL } },
		{ "{'unheardOf':5,'title':'t'}", { "1" }, { NULL } },
		{ "{'type':'null'}", { "null" }, { "false", "0", "''", "[]", "{}" } },
		{ "{'type':'boolean'}", { "true", "false" }, { "null", "0" } },
		{ "{'type':'string'}", { "''" }, { "1", "null" } },
		{ "{'type':'object'}", { "{}" }, { "[]" } },
		{ "{'type':'array'}", { "[]" }, { "{}" } },
		{ "{'type':'number'}", { "1", "1.5", "-1e9" }, { "'1'" } },
		{ "{'type':'integer'}", { "1", "1.0", "1e3", "12.50e1", "9007199254740993", "-0.0" }, { "1.5", "1e-1", "'1'" } },
		{ "{'type':['string','null']}", { "''", "null" }, { "1" } },
		{ "{'const':{'a':[1,2.0]}}", { "{'a':[1.0,2]}" }, { "{'a':[2,1]}", "{'a':[1,2],'b':1}", "1" } },
		{ "{'const':1}", { "1.0", "1e0", "10e-1" }, { "true", "'1'" } },
		{ "{'const':9007199254740993}", { "9007199254740993" }, { "9007199254740992" } },
		{ "{'enum':['a',null,0]}", { "'a'", "null", "0", "-0" }, { "'b'", "false", "''" } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

static void
numbers(void **state)
{
	static const struct keyword_case cases[] = {
		{ "{'minimum':1.5}", { "1.5", "2", "'a'" }, { "1.4999999999999999999999", "-2" } },
		{ "{'maximum':9007199254740993}", { "9007199254740993", "9007199254740992" }, { "9007199254740994", "1e300" } },
		{ "{'exclusiveMinimum':0}", { "0.1", "1e-400" }, { "0", "-1e-400", "-0.0" } },
		{ "{'exclusiveMaximum':-1}", { "-1.1" }, { "-1.0", "0" } },
		{ "{'multipleOf':0.01}", { "19.99", "0", "4.35", "1e400", "'a'" }, { "0.001", "19.999" } },
		{ "{'multipleOf':3}", { "9", "9007199254740993", "9.0", "3e2" }, { "10", "9007199254740992", "1e2" } },
		{ "{'multipleOf':1e-8}", { "12391239123" }, { "1e-9" } },
		{ "{'multipleOf':400}", { "800", "4e2", "1e400" }, { "200", "4" } },
		{ "{" D4 "'minimum':1,'exclusiveMinimum':true,'maximum':3,'exclusiveMaximum':false}", { "2", "3" }, { "1", "4" } },
		{ "{" D6 "'exclusiveMinimum':1}", { "2" }, { "1" } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

static void
texts(void **state)
{
	static const struct keyword_case cases[] = {
		{ "{'minLength':2}", { "'ab'", "'\\u00e9\\u00e9'", "1" }, { "'a'", "'\xf0\x9f\x92\xa9'", "''" } },
		{ "{'maxLength':2.0}", { "'ab'", "'\xf0\x9f\x92\xa9\xf0\x9f\x92\xa9'" }, { "'abc'" } },
		{ "{'pattern':'^a+$'}", { "'aa'", "1" }, { "'b'", "'aa\\n'", "''" } },
		{ "{'pattern':'b'}", { "'abc'" }, { "'ac'" } },
		{ "{'pattern':'^\\\\u00e9\\\\d$'}", { "'\xc3\xa9" "1'" }, { "'e1'", "'\xc3\xa9\xe0\xa7\xaa'" } },
		{ "{'pattern':'^\\\\x{41}(?i)b$'}", { "'Ab'", "'AB'" }, { "'ab'" } },
		{ "{'pattern':'^.$'}", { "'\xf0\x9f\x92\xa9'" }, { "''" } },
		{ "{'format':'ipv4'}", { "'nonsense'" }, { NULL } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

static void
lists(void **state)
{
	static const struct keyword_case cases[] = {
		{ "{'minItems':1,'maxItems':2}", { "[1]", "[1,2]", "{}" }, { "[]", "[1,2,3]" } },
		{ "{'uniqueItems':true}", { "[1,2]", "[1,true]", "[0,false]", "[[1],[2]]" }, { "[1,1.0]", "[{'a':1,'b':2},{'b':2,'a':1}]" } },
		{ "{'uniqueItems':true}", { "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]" },
		  { "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,1.0]", "['a',1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,'a']",
		    "[{'x':[1]},1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,{'x':[1.0]}]" } },
		{ "{'uniqueItems':false}", { "[1,1]" }, { NULL } },
		{ "{'prefixItems':[{'type':'string'}],'items':{'type':'number'}}", { "[]", "['a']", "['a',1,2]" }, { "[1]", "['a','b']" } },
		{ "{'items':false}", { "[]" }, { "[1]" } },
		{ "{" D19 "'items':[{'type':'string'}],'additionalItems':{'type':'number'}}", { "['a',1]", "[]" }, { "[1]", "['a','b']" } },
		{ "{" D7 "'items':{'type':'string'},'additionalItems':false}", { "['a','b']" }, { "[1]" } },
		{ "{" D7 "'additionalItems':false}", { "[1,2]" }, { NULL } },
		{ "{'contains':{'const':1}}", { "[2,1]", "{}" }, { "[]", "[2]" } },
		{ "{'contains':{'const':1},'minContains':2,'maxContains':3}", { "[1,1]", "[1,2,1,1]" }, { "[1]", "[1,1,1,1]" } },
		{ "{'contains':{'const':1},'minContains':0}", { "[]", "[2]" }, { NULL } },
		{ "{" D7 "'contains':{'const':1},'minContains':2}", { "[1]" }, { "[2]" } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

static void
objects(void **state)
{
	static const struct keyword_case cases[] = {
		{ "{'minProperties':1,'maxProperties':1}", { "{'a':1}", "{'a':1,'a':2}", "[]" }, { "{}", "{'a':1,'b':2}" } },
		{ "{'required':['a','b\\u0020c']}", { "{'a':null,'b c':1}", "1" }, { "{'a':1}", "{}" } },
		{ "{'properties':{'a':{'type':'string'}}}", { "{'a':'x'}", "{'b':1}", "{'a':1,'a':'x'}" }, { "{'a':1}", "{'b':1,'a':1}" } },
		{ "{'patternProperties':{'^x':{'type':'number'},'y$':{'minimum':5}}}", { "{'xy':5,'z':'a'}" }, { "{'xa':'b'}", "{'xy':4}" } },
		{ "{'properties':{'a':true},'patternProperties':{'^x':true},'additionalProperties':{'type':'null'}}",
		  { "{'a':1,'x1':2,'z':null}" }, { "{'z':1}" } },
		{ "{'properties':{'a':{'type':'string'}},'additionalProperties':false}", { "{'a':'b'}", "{}" }, { "{'b':1}", "{'a':1}" } },
		{ "{'propertyNames':{'maxLength':2}}", { "{'ab':1}" }, { "{'abc':1}" } },
		{ "{'dependentRequired':{'a':['b','c']}}", { "{'a':1,'b':1,'c':1}", "{'b':1}" }, { "{'a':1,'b':2}" } },
		{ "{'dependentSchemas':{'a':{'required':['b']}}}", { "{'a':1,'b':1}", "{}" }, { "{'a':1}" } },
		{ "{" D7 "'dependencies':{'a':['b'],'c':{'maxProperties':1}}}", { "{'a':1,'b':1}", "{'c':1}" }, { "{'a':1}", "{'c':1,'d':1}" } },
		{ "{'dependencies':{'a':['b']}}", { "{'a':1}" }, { NULL } },
		{ "{'properties':{'j':{'const':'x'}}}", { "{'a':1,'b':1,'c':1,'d':1,'e':1,'f':1,'g':1,'h':1,'i':1,'j':'x'}" },
		  { "{'a':1,'b':1,'c':1,'d':1,'e':1,'f':1,'g':1,'h':1,'i':1,'j':1}" } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

static void
schemas_of_schemas(void **state)
{
	static const struct keyword_case cases[] = {
		{ "{'allOf':[{'minimum':1},{'maximum':3}]}", { "2", "'a'" }, { "0", "4" } },
		{ "{'anyOf':[{'type':'string'},{'minimum':3}]}", { "'a'", "3", "null" }, { "2" } },
		{ "{'oneOf':[{'multipleOf':2},{'multipleOf':3}]}", { "2", "3" }, { "6", "1" } },
		{ "{'not':{'type':'string'}}", { "1" }, { "'a'" } },
		{ "{'not':{'not':{'type':'string'}}}", { "'a'" }, { "1" } },
		{ "{'if':{'minimum':10},'then':{'multipleOf':10},'else':{'multipleOf':2}}", { "20", "4" }, { "15", "5" } },
		{ "{'if':{'minimum':10},'then':false}", { "4" }, { "15" } },
		{ "{'then':false,'else':false}", { "1" }, { NULL } },
		{ "{" D6 "'if':true,'then':false}", { "1" }, { NULL } },
		{ "{" D4 "'const':1}", { "2" }, { NULL } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

static void
references(void **state)
{
	static const struct keyword_case cases[] = {
		{ "{'$ref':'#/$defs/a~1b%25','$defs':{'a/b%':{'type':'string'}}}", { "'a'" }, { "1" } },
		{ "{'properties':{'child':{'$ref':'#'},'v':{'type':'number'}},'additionalProperties':false}",
		  { "{'child':{'child':{'v':1}}}" }, { "{'child':{'child':{'v':'a'}}}", "{'x':1}" } },
		{ "{'$ref':'#it','$defs':{'x':{'$anchor':'it','const':1}}}", { "1" }, { "2" } },
		{ "{'$id':'http://h/a/b.json','$ref':'c.json','$defs':{'x':{'$id':'c.json','$ref':'#/$defs/y','$defs':{'y':{'const':1}}}}}",
		  { "1" }, { "2" } },
		{ "{'$ref':'urn:x:y#/$defs/z','$defs':{'a':{'$id':'urn:x:y','$defs':{'z':{'const':1}}}}}", { "1" }, { "2" } },
		{ "{'$ref':'#/$defs/a','minimum':2,'$defs':{'a':{'maximum':3}}}", { "2", "3" }, { "1", "4" } },
		{ "{" D7 "'$ref':'#/definitions/a','minimum':2,'definitions':{'a':{'maximum':3}}}", { "1", "3" }, { "4" } },
		{ "{" D7 "'$ref':'#foo','definitions':{'a':{'$id':'#foo','maximum':3}}}", { "1" }, { "4" } },
		{ "{" D4 "'id':'http://h/r','$ref':'i','definitions':{'a':{'id':'i','maximum':3}}}", { "1" }, { "4" } },
		{ "{'$ref':'#/x/y/0','x':{'y':[{'const':1}]}}", { "1" }, { "2" } },
		{ "{'enum':[{'$id':'urn:no','const':1}],'$defs':{'a':{'$ref':'#'}}}", { "{'$id':'urn:no','const':1}" }, { "1" } },
		{ "{'$id':'http://h/strict','$ref':'tree','$dynamicAnchor':'node','unevaluatedProperties':false,'$defs':{'t':{'$id':'tree',"
		  "'$dynamicAnchor':'node','properties':{'v':true,'c':{'items':{'$dynamicRef':'#node'}}}}}}",
		  { "{'v':1,'c':[{'v':1}]}" }, { "{'c':[{'w':1}]}" } },
		{ "{" D19 "'$id':'http://h/strict','$ref':'tree','$recursiveAnchor':true,'unevaluatedProperties':false,'$defs':{'t':{"
		  "'$id':'tree','$recursiveAnchor':true,'properties':{'v':true,'c':{'items':{'$recursiveRef':'#'}}}}}}",
		  { "{'v':1,'c':[{'v':1}]}" }, { "{'c':[{'w':1}]}" } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

static void
what_is_left_over(void **state)
{
	static const struct keyword_case cases[] = {
		{ "{'properties':{'a':true},'allOf':[{'properties':{'b':true}}],'unevaluatedProperties':false}", { "{'a':1,'b':1}" },
		  { "{'c':1}" } },
		{ "{'anyOf':[{'required':['a'],'properties':{'a':true}},{'required':['b'],'properties':{'b':true}}],"
		  "'unevaluatedProperties':false}", { "{'a':1}", "{'a':1,'b':1}" }, { "{'a':1,'c':1}" } },
		{ "{'if':{'properties':{'a':{'const':1}},'required':['a']},'then':{'properties':{'b':true}},'else':{'properties':{'c':true}},"
		  "'unevaluatedProperties':false}", { "{'a':1,'b':1}", "{'c':1}" }, { "{'a':2,'c':1}", "{'a':1,'c':1}" } },
		{ "{'not':{'not':{'properties':{'a':true}}},'unevaluatedProperties':false}", { "{}" }, { "{'a':1}" } },
		{ "{'allOf':[{'properties':{'a':true},'unevaluatedProperties':false}],'properties':{'b':true}}", { "{'a':1}" }, { "{'b':1}" } },
		{ "{'$ref':'#/$defs/d','unevaluatedProperties':{'type':'number'},'$defs':{'d':{'properties':{'a':{'type':'string'}}}}}",
		  { "{'a':'x','b':1}" }, { "{'b':'x'}" } },
		{ "{'patternProperties':{'^x':true},'unevaluatedProperties':false}", { "{'x':1}" }, { "{'y':1}" } },
		{ "{'dependentSchemas':{'a':{'properties':{'b':true}}},'properties':{'a':true},'unevaluatedProperties':false}",
		  { "{'a':1,'b':1}" }, { "{'b':1}" } },
		{ "{'prefixItems':[true],'contains':{'const':1},'unevaluatedItems':false}", { "['a',1,1]" }, { "['a',1,2]" } },
		{ "{" D19 "'items':[true],'contains':{'const':1},'unevaluatedItems':false}", { "[1]" }, { "['a',1]" } },
		{ "{'allOf':[{'items':true}],'unevaluatedItems':false}", { "[1,2]" }, { NULL } },
		{ "{" D7 "'unevaluatedProperties':false}", { "{'a':1}" }, { NULL } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

#define FORMAT(name)	"{" D7 "'format':'" name "'}"

static void
formats_up_to_draft_7(void **state)
{
	static const struct keyword_case cases[] = {
		{ FORMAT("date-time"), { "'2024-02-29T23:59:60Z'", "'2024-01-01t00:00:00.25+05:30'", "1" },
		  { "'2023-02-29T00:00:00Z'", "'2024-01-01 00:00:00Z'", "'2024-01-01T00:00:00'", "'2024-01-01T22:59:60Z'", "''" } },
		{ FORMAT("date"), { "'2000-02-29'" }, { "'1900-02-29'", "'2024-1-01'", "'2024-13-01'", "'2024-04-31'" } },
		{ FORMAT("time"), { "'12:00:00Z'", "'23:59:59.1-00:00'" }, { "'24:00:00Z'", "'12:00:00'", "'12:00:00.Z'" } },
		{ FORMAT("duration"), { "'P1Y2M3DT4H5M6S'", "'P4W'", "'PT1M'" }, { "'P'", "'P1YT'", "'PT1D'", "'P1Y2W'", "'P1D2H'" } },
		{ FORMAT("email"), { "'a.b@example.com'", "'\\u0022a b\\u0022@[127.0.0.1]'" }, { "'a'", "'.a@b.c'", "'a..b@c.d'", "'a@b_c'" } },
		{ FORMAT("idn-email"), { "'\xc3\xa9@\xc3\xa9.com'" }, { "'a'" } },
		{ FORMAT("hostname"), { "'a-b.example'", "'xn--4gbwdl.xn--wgbh1c'" }, { "'-a'", "'a-'", "'a..b'", "'a_b'", "''" } },
		{ FORMAT("ipv4"), { "'127.0.0.1'" }, { "'127.0.0'", "'256.0.0.1'", "'01.2.3.4'", "'1.2.3.4/8'" } },
		{ FORMAT("ipv6"), { "'::1'", "'::ffff:1.2.3.4'" }, { "'1::2::3'", "'::1%eth0'", "'12345::'" } },
		{ FORMAT("uri"), { "'http://u@h:1/p?q#f'", "'urn:a:b'", "'http://[::1]/'" }, { "'/a'", "'http://a b'", "'http://h/%zz'", "'//h'" } },
		{ FORMAT("uri-reference"), { "'/a'", "'#f'", "''" }, { "'\\\\\\\\a'", "'a b'", "'1:b'" } },
		{ FORMAT("iri"), { "'http://\xc3\xa9/'" }, { "'\xc3\xa9'" } },
		{ FORMAT("iri-reference"), { "'/\xc3\xa9'" }, { "'{'" } },
		{ FORMAT("uri-template"), { "'http://h/{a}{?b,c*}{d:3}'" }, { "'http://h/{a'", "'{}'", "'a}'" } },
		{ FORMAT("uuid"), { "'2eb8aa08-aa98-11ea-b4aa-73b441d16380'" }, { "'2eb8aa08aa9811eab4aa73b441d16380'", "'x'" } },
		{ FORMAT("regex"), { "'^a+$'" }, { "'('" } },
		{ FORMAT("json-pointer"), { "'/a/~0~1'", "''" }, { "'a'", "'/~2'" } },
		{ FORMAT("relative-json-pointer"), { "'0#'", "'12/a'" }, { "'/a'", "'01/a'", "'0##'" } },
		{ FORMAT("unheard-of"), { "'x'" }, { NULL } },
		{ "{" D19 "'format':'ipv4'}", { "'x'" }, { NULL } },
	};

	(void)state;
	EXPECT_ALL(cases);
}

static void
a_reference_leads_to_other_documents(void **state)
{
	struct world	 w;
	const char	*where;

	(void)state;
	begin(&w);
	add(&w, "sub/a.json", "file:///sub/a.json", "{'properties':{'x':{'$ref':'../b.json#/$defs/n'}}}");
	add(&w, "b.json", "file:///b.json", "{" D7 "'$id':'http://h/b.json','$defs':{'n':{'$ref':'http://h/c.json'}}}");
	add(&w, "c.json", "file:///c.json", "{" D4 "'id':'http://h/c.json','minimum':5,'exclusiveMinimum':true}");
	assert_int_equal(schema_set_compile(w.set, "file:///sub/a.json", &w.schema, &w.err), 0);
	assert_int_equal(check(&w, "{'x':6}", &where), SCHEMA_FITS);
	assert_int_equal(check(&w, "{'x':5}", &where), SCHEMA_DIFFERS);
	assert_string_equal(where, "c.json#/minimum");
	end(&w);
}

/* What stands in a message is a place in a schema, never something of the value. */
static void
the_reason_is_the_keyword_that_was_not_met(void **state)
{
	static const char *const cases[][3] = {
		{ "{'properties':{'a/b':{'enum':[1]}}}", "{'a/b':'secret'}", "s.json#/properties/a~1b/enum" },
		{ "{'additionalProperties':false}", "{'secret':1}", "s.json#/additionalProperties" },
		{ "{'anyOf':[{'const':1},{'const':2}]}", "'secret'", "s.json#/anyOf" },
		{ "{'allOf':[{'const':1}]}", "'secret'", "s.json#/allOf/0/const" },
		{ "{'$ref':'#/$defs/a','$defs':{'a':{'required':['x']}}}", "{}", "s.json#/$defs/a/required" },
		{ "{'not':{'const':1}}", "1", "s.json#/not" },
		{ "{'contains':{'const':1}}", "['secret']", "s.json#/contains" },
		{ "{'if':{'const':1},'else':{'minItems':2}}", "[]", "s.json#/else/minItems" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct world	 w;
		const char	*where;

		begin(&w);
		add(&w, "s.json", URI, cases[i][0]);
		assert_int_equal(schema_set_compile(w.set, URI, &w.schema, &w.err), 0);
		assert_int_equal(check(&w, cases[i][1], &where), SCHEMA_DIFFERS);
		assert_string_equal(where, cases[i][2]);
		end(&w);
	}
}

static void
what_is_wrong_with_a_schema_is_said_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{ "{'type':'text'}", "s.json#/type: must be null, boolean" },
		{ "{'type':5}", "s.json#/type: must be" },
		{ "{'properties':{'a':{'minLength':-1}}}", "s.json#/properties/a/minLength: must be an integer that is not negative" },
		{ "{'minLength':1.5}", "s.json#/minLength: must be an integer" },
		{ "{'minimum':'1'}", "s.json#/minimum: must be a number" },
		{ "{'multipleOf':0}", "s.json#/multipleOf: must be a number above 0" },
		{ "{'multipleOf':1.2345678901234567891}", "s.json#/multipleOf: must be a number of 18 digits at most" },
		{ "{'required':'a'}", "s.json#/required: must be a list of names" },
		{ "{'enum':1}", "s.json#/enum: must be a list of values" },
		{ "{'properties':[]}", "s.json#/properties: must be an object of schemas" },
		{ "{'allOf':{}}", "s.json#/allOf: must be a list of schemas" },
		{ "{'not':1}", "s.json#/not: a schema must be an object, true or false" },
		{ "{'items':[true]}", "s.json#/items: a schema must be an object, true or false" },
		{ "{'pattern':'('}", "s.json#/pattern: bad pattern: missing closing parenthesis" },
		{ "{'patternProperties':{'[':true}}", "s.json#/patternProperties: bad pattern: missing terminating ]" },
		{ "{'$ref':'other.json'}", "s.json#/$ref: cannot follow \"other.json\": no file of the folder is known by that address, and "
		  "nothing is fetched; put the schema into the folder" },
		{ "{'$ref':'https://json-schema.org/draft/2020-12/schema'}", "nothing is fetched" },
		{ "{'$ref':'#/$defs/x'}", "s.json#/$ref: cannot follow \"#/$defs/x\": there is no s.json#/$defs" },
		{ "{'$ref':'#x'}", "s.json# has no anchor of that name" },
		{ "{'$ref':'#%zz'}", "a % without two hexadecimal digits" },
		{ "{'$ref':5}", "s.json#/$ref: must be a string" },
		{ "{'uniqueItems':1}", "s.json#/uniqueItems: must be true or false" },
		{ "{'dependentRequired':{'a':1}}", "s.json#/dependentRequired: must be a list of names" },
		{ "{'$schema':'http://example.com/own'}", "s.json#/$schema: must be the address of draft 2020-12, 2019-09, 7, 6 or 4" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct world	 w;
		const char	*uri = URI;

		begin(&w);
		if (schema_set_add(w.set, "s.json", read_json(&w, cases[i][0]), &uri, 1, &w.err) == 0 &&
		    schema_set_compile(w.set, URI, &w.schema, &w.err) == 0)
			fail_msg("%s was taken", cases[i][0]);
		assert_int_equal(w.err.code, ERR_CONFIG);
		if (strstr(w.err.text, cases[i][1]) == NULL)
			fail_msg("%s: %s", cases[i][0], w.err.text);
		end(&w);
	}
}

static void
an_id_that_two_documents_have_is_of_no_use_to_a_third(void **state)
{
	struct world	 w;

	(void)state;
	begin(&w);
	add(&w, "a.json", "file:///a.json", "{'$id':'http://h/x','$ref':'x'}");
	add(&w, "b.json", "file:///b.json", "{'$id':'http://h/x'}");
	add(&w, "c.json", "file:///c.json", "{'$ref':'http://h/x'}");
	assert_int_equal(schema_set_compile(w.set, "file:///a.json", &w.schema, &w.err), 0);
	assert_int_equal(schema_set_compile(w.set, "file:///c.json", &w.schema, &w.err), -1);
	assert_non_null(strstr(w.err.text, "give each one of its own"));
	end(&w);
}

/* Each of these would go on without end, or for hours. */
static void
every_check_comes_to_an_end(void **state)
{
	static const char *const cases[][3] = {
		{ "{'$ref':'#'}", "1", "refers to itself without end, at s.json#" },
		{ "{'anyOf':[{'$ref':'#/$defs/a'}],'$defs':{'a':{'allOf':[{'$ref':'#'}]}}}", "1", "without end" },
		{ "{'not':{'$ref':'#'}}", "1", "without end" },
		{ "{'$defs':{'a':{'anyOf':[false,{'allOf':[{'$ref':'#/$defs/b'},{'$ref':'#/$defs/b'}]}]},'b':{'anyOf':[{'$ref':'#/$defs/c'},"
		  "{'$ref':'#/$defs/c'}]},'c':{'items':{'oneOf':[{'$ref':'#/$defs/a'},{'$ref':'#/$defs/a'}]}}},'$ref':'#/$defs/a'}",
		  "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]", "too many steps" },
		{ "{'pattern':'^(a+)+$'}", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'",
		  "a pattern takes too long, at s.json#/pattern" },
		{ "{'not':{'pattern':'(a|aa)+$'}}", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'", "takes too long" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct world	 w;
		const char	*where;

		begin(&w);
		add(&w, "s.json", URI, cases[i][0]);
		assert_int_equal(schema_set_compile(w.set, URI, &w.schema, &w.err), 0);
		if (check(&w, cases[i][1], &where) != SCHEMA_FAILED || strstr(where, cases[i][2]) == NULL)
			fail_msg("%s: %s", cases[i][0], where);
		end(&w);
	}
}

static void
a_pattern_without_anchor_does_not_search_endless_texts(void **state)
{
	struct world	 w;
	const char	*where;
	char		*text = malloc(LONG_TEXT + 3);

	(void)state;
	begin(&w);
	(void)memset(text, 'a', LONG_TEXT + 2);
	text[0] = text[LONG_TEXT + 1] = '\'';
	text[LONG_TEXT + 2] = '\0';
	add(&w, "s.json", URI, "{'anyOf':[{'pattern':'^a'},{'pattern':'[a-z]*[0-9]'}]}");
	assert_int_equal(schema_set_compile(w.set, URI, &w.schema, &w.err), 0);
	assert_int_equal(check(&w, text, &where), SCHEMA_FITS);
	text[1] = 'b';
	assert_int_equal(check(&w, text, &where), SCHEMA_FAILED);
	free(text);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_by_themselves),
		cmocka_unit_test(numbers),
		cmocka_unit_test(texts),
		cmocka_unit_test(lists),
		cmocka_unit_test(objects),
		cmocka_unit_test(schemas_of_schemas),
		cmocka_unit_test(references),
		cmocka_unit_test(what_is_left_over),
		cmocka_unit_test(formats_up_to_draft_7),
		cmocka_unit_test(a_reference_leads_to_other_documents),
		cmocka_unit_test(the_reason_is_the_keyword_that_was_not_met),
		cmocka_unit_test(what_is_wrong_with_a_schema_is_said_with_its_place),
		cmocka_unit_test(an_id_that_two_documents_have_is_of_no_use_to_a_third),
		cmocka_unit_test(every_check_comes_to_an_end),
		cmocka_unit_test(a_pattern_without_anchor_does_not_search_endless_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
