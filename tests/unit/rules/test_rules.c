/* Folders of rules, the document of an event, and paths.  ' stands for " in all JSON of this file. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/rules/folder.h"
#include "tests/support/cmocka_all.h"

static char	 folder[64];

static char *
with_quotes(const char *text)
{
	char	*s = slice_dup(slice_of(text));

	for (char *p = s; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return s;
}

static void
put(const char *name, const char *text)
{
	char	 path[200], *own = with_quotes(text);
	FILE	*f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_non_null(f = fopen(path, "w"));
	(void)fputs(own, f);
	assert_int_equal(fclose(f), 0);
	free(own);
}

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/eds-rules-XXXXXX");
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	char	 command[100];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static int
load_from(const char *from, struct rules **r, struct err *err)
{
	char	*text = NULL;
	int	 rc = rules_folder_read(from, &text, err);

	if (rc == 0)
		rc = rules_new(r, slice_of(text), err);
	free(text);
	return rc;
}

static int
load(struct rules **r, struct err *err)
{
	return load_from(folder, r, err);
}

static void
expect_error(const char *want)
{
	struct rules	*r = NULL;
	struct err	 err = { 0 };

	if (load(&r, &err) == 0)
		fail_msg("taken, but: %s", want);
	assert_int_equal(err.code, ERR_CONFIG);
	if (strstr(err.text, want) == NULL)
		fail_msg("\"%s\" is not in: %s", want, err.text);
}

#define ROW	"{'operation':'INSERT','id':'999','table':'labor','key':['gcp','k<1>'],'modelVersion':'m','companyId':'c1'," \
		"'before':null,'after':{'id':'1','status':'a&b','deep':{'n':1720732611708,'x-y':'\\u0022q\\u0022'},'t':true,'none':null," \
		"'list':[1,'b',null],'slash':'../x/y','up':'..','dot':'.','big':9007199254740993},'timestamp':1720732611708," \
		"'mvccTimestamp':'123456789','imported':true}"

struct outcome {
	enum rules_result	 result;
	char			 path[300], why[300];
};

static struct outcome
check(struct rules *r, const char *quoted)
{
	struct outcome	 out = { .path = "" };
	struct event	 ev = { .op = EVENT_INSERT };
	struct buf	 path = { 0 };
	struct err	 err;
	char		*text = with_quotes(quoted);
	const char	*why;

	if (event_parse(&ev, slice_of(text), &err) != 0)
		fail_msg("%s: %s", quoted, err.text);
	out.result = rules_check(r, &ev, &path, &why);
	(void)snprintf(out.path, sizeof(out.path), "%s", buf_cstr(&path));
	if (out.result != RULES_FIT)
		(void)snprintf(out.why, sizeof(out.why), "%s", why);
	buf_free(&path);
	event_free(&ev);
	free(text);
	return out;
}

static struct outcome
with_path(const char *path, bool plain)
{
	char		 config[400];
	struct rules	*r = NULL;
	struct err	 err;
	struct outcome	 out;

	put("any.json", "true");
	(void)snprintf(config, sizeof(config), "{'labor':{'schema':'any.json','path':'%s','plain':%s}}", path, plain ? "true" : "false");
	put("config.json", config);
	if (load(&r, &err) != 0)
		fail_msg("%s: %s", path, err.text);
	out = check(r, ROW);
	rules_free(&r);
	return out;
}

static void
a_path_is_made_of_what_stands_in_the_event(void **state)
{
	static const struct {
		const char	*path, *html, *plain;
	} cases[] = {
		{ "{{.table}}/received/{{.table}}_{{.mvccTimestamp}}_{{.id}}.json", "labor/received/labor_123456789_999.json", NULL },
		{ "fixed", "fixed", NULL },
		{ "", "", NULL },
		{ "{{ .after.status }}", "a&amp;b", "a&b" },
		{ "{{index .key 1}}", "k&lt;1&gt;", "k<1>" },
		{ "{{index .key 0}}-{{.operation}}", "gcp-INSERT", NULL },
		{ "{{.timestamp}}", "1.720732611708e&#43;12", "1720732611708" },
		{ "{{.after.deep.n}}", "1.720732611708e&#43;12", "1720732611708" },
		{ "{{.after.big}}", "9.007199254740992e&#43;15", "9007199254740993" },
		{ "{{index .after \\u0022deep\\u0022 \\u0022x-y\\u0022}}", "&#34;q&#34;", "\"q\"" },
		{ "{{.after.t}}", "true", NULL },
		{ "x{{.after.none}}y{{.before.a}}z{{.userId}}{{.after.missing.deeper}}", "xyz", NULL },
		{ "{{.key}}", "[gcp k&lt;1&gt;]", "[gcp k<1>]" },
		{ "{{.after.list}}", "[1 b &lt;nil&gt;]", "[1 b <nil>]" },
		{ "{{.after.deep}}", "map[n:1.720732611708e&#43;12 x-y:&#34;q&#34;]", "map[n:1720732611708 x-y:\"q\"]" },
		{ "{{.imported}}", "", NULL },
		/* nothing leaves its place (hazards.md H34) */
		{ "a/{{.after.slash}}", "a/..%2Fx%2Fy", NULL },
		{ "a/{{.after.up}}/b", "a/%2E./b", NULL },
		{ "a/.{{.after.dot}}/b", "a/%2E./b", NULL },
		{ "/a//./b/", "a/b", NULL },
		{ "/abs/../c.json", "c.json", NULL },
		{ "../../{{.id}}/..//{{.table}}/../x", "x", NULL },
		{ "{{.after.dot}}/x", "%2E/x", NULL },
		{ "/", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++)
		for (int plain = 0; plain < 2; plain++) {
			struct outcome out = with_path(cases[i].path, plain == 1);

			assert_int_equal(out.result, RULES_FIT);
			assert_string_equal(out.path, plain == 1 && cases[i].plain != NULL ? cases[i].plain : cases[i].html);
		}
}

static void
a_path_that_the_event_has_not_is_a_failure(void **state)
{
	(void)state;
	assert_int_equal(with_path("{{index .key 2}}", false).result, RULES_FAILED);
	assert_string_equal(with_path("{{index .key 2}}", false).why, "an index of the path is beyond what the event has");
	assert_int_equal(with_path("{{index .before 0}}", false).result, RULES_FAILED);
	assert_string_equal(with_path("{{.id.x}}", false).why, "the path names a member of what is no object");
}

static void
a_template_that_is_not_understood_is_said_at_the_start(void **state)
{
	static const char *const cases[][2] = {
		{ "{{- .id}}", "{{- .id}}: markers that trim space are not supported" },
		{ "{{.id -}}", "trim" },
		{ "{{if .id}}x{{end}}", "{{if .id}} is not supported; write {{.name}}" },
		{ "{{.id | printf}}", "is not supported" },
		{ "{{.}}", "is not supported" },
		{ "{{}}", "is not supported" },
		{ "{{/* c */}}", "is not supported" },
		{ "{{.a.}}", "is not supported" },
		{ "{{.a-b}}", "is not supported" },
		{ "{{.0a}}", "is not supported" },
		{ "{{$x}}", "is not supported" },
		{ "{{index .key}}", "is not supported" },
		{ "{{index .key -1}}", "is not supported" },
		{ "{{index .key 0x1}}", "is not supported" },
		{ "{{index .key .n}}", "is not supported" },
		{ "{{.key 0}}", "is not supported" },
		{ "{{.id", "a {{ without its }}" },
		{ "x}}", "a }} without its {{" },
		{ "<b>{{.id}}", "must not have a <" },
		{ "a\\u0007", "control characters" },
	};

	(void)state;
	put("any.json", "true");
	for (size_t i = 0; i < NELEM(cases); i++) {
		char	 config[200], want[200] = "", *p = want;

		(void)snprintf(config, sizeof(config), "{'order':{'schema':'any.json','path':'%s'}}", cases[i][0]);
		put("config.json", config);
		for (const char *s = cases[i][1]; *s != '\0'; s++)
			if (*s != '\\')
				*p++ = *s;
		expect_error("config.json: table \"order\": path: ");
		expect_error(want);
	}
}

static void
an_event_is_held_against_the_rule_of_its_table(void **state)
{
	struct rules	*r = NULL;
	struct err	 err;
	struct outcome	 out;

	(void)state;
	put("config.json", "{'labor':{'Schema':'sub/labor.json','comment':'free'},'bare':{'schema':'./sub/labor.json','path':null}}");
	assert_int_equal(mkdir((snprintf(err.text, sizeof(err.text), "%s/sub", folder), err.text), 0755), 0);
	put("sub/labor.json", "{'properties':{'after':{'$ref':'row.json'},'imported':false,'before':{'type':'null'},'key':{'type':['array',"
	    "'null']},'diff':false,'locationId':false},'required':['operation','id','table','key','modelVersion','companyId','before',"
	    "'timestamp','mvccTimestamp']}");
	put("sub/row.json", "{'properties':{'status':{'const':'a&b'}}}");
	put(".hidden", "no json");
	if (load(&r, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(check(r, ROW).result, RULES_FIT);
	out = check(r, "{'operation':'DELETE','id':'1','table':'labor','key':['a'],'companyId':'c','before':null,'after':{'status':'secret'}}");
	assert_int_equal(out.result, RULES_DIFFER);
	assert_string_equal(out.why, "sub/row.json#/properties/status/const");
	out = check(r, "{'operation':'DELETE','id':'1','table':'Labor','key':['a']}");
	assert_int_equal(out.result, RULES_NONE);
	/* an event without key has null there, as it is stored */
	assert_int_equal(check(r, "{'operation':'INSERT','id':'1','table':'bare','companyId':'c','before':null,'after':{'id':'x'}}").result,
	    RULES_FIT);
	rules_free(&r);
}

static void
files_are_known_by_their_addresses(void **state)
{
	struct rules	*r = NULL;
	struct err	 err;
	char		 schema[700], link[100];

	(void)state;
	put("config.json", "{'labor':{'schema':'all.json'}}");
	put("other.json", "{'$defs':{'id':{'const':'999'}}}");
	(void)snprintf(schema, sizeof(schema), "{'properties':{'id':{'allOf':[{'$ref':'other.json#/$defs/id'},{'$ref':'file://other.json#/$defs/id'},"
	    "{'$ref':'file:///other.json#/$defs/id'},{'$ref':'file://%s/other.json#/$defs/id'},{'$ref':'file://%s-link/other.json#/$defs/id'}]}}}", folder, folder);
	put("all.json", schema);
	(void)snprintf(link, sizeof(link), "%s-link", folder);
	assert_int_equal(symlink(folder, link), 0);
	if (load_from(link, &r, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(check(r, ROW).result, RULES_FIT);
	rules_free(&r);
}

static void
what_is_wrong_with_a_folder_is_said_with_the_file(void **state)
{
	char	 path[100];

	(void)state;
	expect_error("there is no config.json in it; write one");
	put("config.json", "[]");
	expect_error("config.json: must be an object with a rule for each table");
	put("config.json", "{");
	expect_error("/config.json: not JSON, or not UTF-8: text without end");
	put("config.json", "{'a':1}");
	expect_error("config.json: table \"a\": must be {\"schema\"");
	put("config.json", "{'a':{}}");
	expect_error("config.json: table \"a\": \"schema\" must name a file");
	put("config.json", "{'a':{'schema':'no.json'}}");
	expect_error("config.json: table \"a\": schema \"no.json\": no file of the folder");
	put("a.json", "{'$ref':'http://example.com/x'}");
	put("config.json", "{'a':{'schema':'a.json'}}");
	expect_error("a.json#/$ref: cannot follow \"http://example.com/x\"");
	put("a.json", "{'pattern':'*'}");
	expect_error("a.json#/pattern: bad pattern");
	put("a.json", "true");
	put("config.json", "{'a':{'schema':'a.json','path':5}}");
	expect_error("\"path\" must be a string");
	put("config.json", "{'a':{'schema':'a.json','plain':5}}");
	expect_error("\"plain\" must be true or false");
	put("config.json", "{'a':{'schema':'a.json'}}");
	put("notes.txt", "these are no rules");
	expect_error("/notes.txt: not JSON");
	put("notes.txt", "{'$schema':'http://example.com/own'}");
	expect_error("notes.txt#/$schema: must be the address of draft");
	put("notes.txt", "true");
	(void)snprintf(path, sizeof(path), "%s/loop", folder);
	assert_int_equal(symlink(".", path), 0);
	expect_error("folders in folders without end");
	(void)snprintf(folder, sizeof(folder), "/tmp/eds-rules-that-are-not");
	expect_error("/tmp/eds-rules-that-are-not: No such file or directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_path_is_made_of_what_stands_in_the_event, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_path_that_the_event_has_not_is_a_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_template_that_is_not_understood_is_said_at_the_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_event_is_held_against_the_rule_of_its_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_are_known_by_their_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_with_a_folder_is_said_with_the_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
