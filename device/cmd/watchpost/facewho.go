package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

// lastNumber is what tells pictures of one person apart in a file's name.
var lastNumber = regexp.MustCompile(`[-_ ]?\d+$`)

// identify numbers the people behind the sides of the pairs, and says how it
// knew them.
func identify(list []pair, same []bool, people map[string]person) (who map[string]int, told string) {
	name := func(side string) string { return people[side].subject }
	told = "the third column of --groups"
	switch {
	case same != nil:
		return united(list, same), "the third column of --pairs"
	case !allNamed(list, name):
		folders := make(map[string]bool)
		for _, p := range list {
			folders[filepath.Dir(images(p.a)[0])], folders[filepath.Dir(images(p.b)[0])] = true, true
		}
		name = func(side string) string { return filepath.Dir(images(side)[0]) }
		told = "a folder a person"
		if len(folders) == 1 {
			name = func(side string) string {
				base := filepath.Base(images(side)[0])
				return lastNumber.ReplaceAllString(strings.TrimSuffix(base, filepath.Ext(base)), "")
			}
			told = "the file names without their last number"
		}
	}
	return numbered(list, name), told
}

// numbered numbers what name calls the sides, in order of their first place.
func numbered(list []pair, name func(side string) string) map[string]int {
	who, number := make(map[string]int), make(map[string]int)
	for _, p := range list {
		for _, side := range [...]string{p.a, p.b} {
			n := name(side)
			if _, ok := number[n]; !ok {
				number[n] = len(number)
			}
			who[side] = number[n]
		}
	}
	return who
}

func allNamed(list []pair, name func(string) string) bool {
	for _, p := range list {
		if name(p.a) == "" || name(p.b) == "" {
			return false
		}
	}
	return true
}

// united makes one person of all sides that mated pairs join.
func united(list []pair, same []bool) map[string]int {
	parent := make(map[string]string)
	var root func(string) string
	root = func(s string) string {
		if p, ok := parent[s]; ok && p != s {
			parent[s] = root(p)
			return parent[s]
		}
		parent[s] = s
		return s
	}
	for i, p := range list {
		a, b := root(p.a), root(p.b)
		if same[i] {
			parent[a] = b
		}
	}
	return numbered(list, root)
}
