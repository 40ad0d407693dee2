// bench-policy, cel-go at its best: the same rules over the same posts, on one thread.
//
//	celgo POLICY.json POSTS.jsonl
//
// Each condition is checked, folded (the static optimizer), and planned with OptOptimize, which compiles constant patterns and
// makes constant lists sets. Signals are CEL values before the clock starts, so that nothing is converted, and found by
// name in a map that was made before too. A rule whose evaluation fails is skipped, as in Winnow.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

var catalogue = map[string]*cel.Type{
	"score.spam": cel.DoubleType, "score.scam": cel.DoubleType, "score.bait": cel.DoubleType, "score.ai_text": cel.DoubleType,
	"flag.spam": cel.BoolType, "flag.scam": cel.BoolType, "flag.bait": cel.BoolType, "flag.ai_text": cel.BoolType,
	"text.chars": cel.IntType, "text.words": cel.IntType, "text.tokens": cel.IntType, "text.windows": cel.IntType,
	"text.unread_share": cel.DoubleType, "text.insufficient": cel.BoolType, "text.zero_width": cel.IntType,
	"text.confusables": cel.IntType, "text.links": cel.IntType, "text.links_hidden": cel.IntType,
	"post.lang": cel.StringType, "post.surface": cel.StringType, "post.reply": cel.BoolType, "post.edited": cel.BoolType,
	"post.media": cel.IntType, "post.text": cel.StringType, "post.links": cel.ListType(cel.StringType),
	"post.extra": cel.MapType(cel.StringType, cel.DynType),
	"author.id":  cel.StringType, "author.handle": cel.StringType, "author.age_days": cel.DoubleType,
	"author.followers": cel.IntType, "author.following": cel.IntType, "author.posts_1h": cel.IntType,
}

// A post's signals as an activation. What is not there is an error where it is asked for.
type post map[string]ref.Val

func (p post) ResolveName(name string) (any, bool) {
	v, ok := p[name]
	return v, ok
}

func (p post) Parent() cel.Activation { return nil }

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "celgo:", err)
		os.Exit(1)
	}
	return v
}

func newEnv() *cel.Env {
	options := []cel.EnvOption{cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true), ext.Strings(), ext.Math()}
	for name, t := range catalogue {
		options = append(options, cel.Variable(name, t))
	}
	return must(cel.NewEnv(options...))
}

func readRules(env *cel.Env, path string) []cel.Program {
	var file struct{ Rules []struct{ ID, When string } }
	if err := json.Unmarshal(must(os.ReadFile(path)), &file); err != nil {
		must(0, err)
	}
	folding := must(cel.NewConstantFoldingOptimizer())
	optimizer := must(cel.NewStaticOptimizer(folding))
	var programs []cel.Program
	for _, rule := range file.Rules {
		ast, issues := env.Compile(rule.When)
		must(0, issues.Err())
		ast, issues = optimizer.Optimize(env, ast)
		must(0, issues.Err())
		programs = append(programs, must(env.Program(ast, cel.EvalOptions(cel.OptOptimize))))
	}
	return programs
}

// JSON to CEL's values: a number is an int unless it is written with a point.
func valueOf(raw json.RawMessage) ref.Val {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	must(0, d.Decode(&v))
	return convert(v)
}

func convert(v any) ref.Val {
	switch v := v.(type) {
	case bool:
		return types.Bool(v)
	case string:
		return types.String(v)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return types.Int(i)
		}
		return types.Double(must(v.Float64()))
	case []any:
		list := make([]ref.Val, len(v))
		for i, e := range v {
			list[i] = convert(e)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	case map[string]any:
		m := make(map[ref.Val]ref.Val, len(v))
		for k, e := range v {
			m[types.String(k)] = convert(e)
		}
		return types.NewRefValMap(types.DefaultTypeAdapter, m)
	}
	return types.NullValue
}

func readPosts(path string) []post {
	f := must(os.Open(path))
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	var posts []post
	for lines.Scan() {
		var raw map[string]json.RawMessage
		must(0, json.Unmarshal(lines.Bytes(), &raw))
		p := make(post, len(raw))
		for name, v := range raw {
			p[name] = valueOf(v)
		}
		posts = append(posts, p)
	}
	must(0, lines.Err())
	return posts
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func pass(programs []cel.Program, posts []post, from, n int) string {
	var matched, skipped uint64
	digest := uint64(1)
	cpu, wall := cpuSeconds(), time.Now()
	for i := 0; i < n; i++ {
		p := posts[(from+i)%len(posts)]
		for _, program := range programs {
			outcome := uint64(2)
			if v, _, err := program.Eval(p); err == nil {
				if b, ok := v.(types.Bool); ok && bool(b) {
					outcome = 1
					matched++
				} else if ok {
					outcome = 0
				}
			}
			if outcome == 2 {
				skipped++
			}
			digest = digest*1099511628211 ^ outcome
		}
	}
	return fmt.Sprintf(`{"evaluations":%d,"matched":%d,"skipped":%d,"digest":"%016x","wall_s":%.6f,"cpu_s":%.6f}`,
		n*len(programs), matched, skipped, digest, time.Since(wall).Seconds(), cpuSeconds()-cpu)
}

func main() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400) // the heap is the posts: collect seldom
	programs := readRules(newEnv(), os.Args[1])
	posts := readPosts(os.Args[2])
	runtime.GC()
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "cel.dev/cel-go" {
				version = m.Version
			}
		}
	}
	fmt.Printf(`{"ready":true,"rules":%d,"posts":%d,"version":"%s","go":"%s"}`+"\n", len(programs), len(posts), version,
		runtime.Version())
	for at, n := 0, 0; ; at = (at + n) % len(posts) {
		if _, err := fmt.Scanf("go %d\n", &n); err != nil {
			return
		}
		fmt.Println(pass(programs, posts, at, n))
	}
}
