package syscalls

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Call is one call that was made, in the order in which calls ended. Failed
// calls are left out.
type Call struct {
	Name string
	Args []Arg
	Ret  int64
}

// Arg is an argument as strace prints it: text in quotes opened to its bytes.
type Arg struct {
	Text  string // as printed
	Bytes []byte // of a quoted argument, else nil
}

// Int returns a numeric argument, or -1.
func (a Arg) Int() int64 {
	n, err := strconv.ParseInt(a.Text, 0, 64)
	if err != nil {
		return -1
	}
	return n
}

// Read reads a log that Log had written.
func Read(r io.Reader) ([]Call, error) {
	var calls []Call
	begun := map[string]string{} // by thread
	lines := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF && line == "" {
			return calls, nil
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		thread, rest, ok := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if !ok {
			return nil, fmt.Errorf("line %d: no thread", n)
		}
		rest = strings.TrimLeft(rest, " ")
		switch {
		case strings.HasPrefix(rest, "---"), strings.HasPrefix(rest, "+++"):
			continue
		case strings.HasSuffix(rest, "<unfinished ...>"):
			begun[thread] = strings.TrimSuffix(rest, "<unfinished ...>")
			continue
		case strings.HasPrefix(rest, "<... "):
			_, tail, ok := strings.Cut(rest, " resumed>")
			if !ok {
				return nil, fmt.Errorf("line %d: resumed without an end", n)
			}
			rest = begun[thread] + tail
			delete(begun, thread)
		}
		call, done, err := parse(rest)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if done {
			calls = append(calls, call)
		}
	}
}

// parse reads `name(args) = ret`. done is false where the call failed or its
// thread ended in it.
func parse(s string) (c Call, done bool, err error) {
	name, rest, ok := strings.Cut(s, "(")
	if !ok {
		return c, false, fmt.Errorf("no call")
	}
	c.Name = name
	for {
		rest = strings.TrimLeft(rest, " ,")
		if strings.HasPrefix(rest, ")") {
			rest = rest[1:]
			break
		}
		var a Arg
		if a, rest, err = arg(rest); err != nil {
			return c, false, fmt.Errorf("%s: %w", name, err)
		}
		c.Args = append(c.Args, a)
	}
	_, ret, ok := strings.Cut(rest, "= ")
	if !ok {
		return c, false, fmt.Errorf("%s: no result", name)
	}
	ret, _, _ = strings.Cut(ret, " ")
	if ret == "?" {
		return c, false, nil
	}
	if c.Ret, err = strconv.ParseInt(ret, 0, 64); err != nil {
		return c, false, fmt.Errorf("%s: result %q", name, ret)
	}
	return c, c.Ret >= 0, nil
}

func arg(s string) (Arg, string, error) {
	if !strings.HasPrefix(s, `"`) {
		depth := 0
		for i, r := range s {
			switch {
			case r == '[' || r == '{':
				depth++
			case r == ']' || r == '}':
				depth--
			case depth == 0 && (r == ',' || r == ')'):
				return Arg{Text: strings.TrimSpace(s[:i])}, s[i:], nil
			}
		}
		return Arg{}, "", fmt.Errorf("an argument without an end")
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 {
		return Arg{}, "", fmt.Errorf("a quote without an end")
	}
	text, rest := s[1:1+end], s[2+end:]
	if strings.HasPrefix(rest, "...") {
		return Arg{}, "", fmt.Errorf("an argument that was cut")
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(text, `\x`, ""))
	if err != nil {
		return Arg{}, "", fmt.Errorf("an argument that is not in hex")
	}
	return Arg{Text: text, Bytes: raw}, rest, nil
}
