package linkv1

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Limits of what either side takes.
const (
	MaxMessage  = 1 << 20   // bytes of one message on the broker
	MaxPatience = 60 * 1000 // ms that a post may ask central to keep trying
	idBytes     = 16        // of Call.id
	digestBytes = 32        // of SHA-256
	root        = "edge."   // of all subjects
	ask         = "ask"     // last part of a subject
	deliver     = "deliver" // last part of a subject
	lease       = "lease"   // last part of a subject
	hello       = "hello"   // last part of a subject
	poke        = "poke"    // last part of a subject
	nonceBytes  = 12        // of AES-GCM
	secretBytes = 32        // exported for the reply
	headroom    = 4 << 10   // of MaxMessage for seals and signatures
	maxContent  = MaxMessage - headroom
)

// Errors of reading what came over the broker.
var (
	ErrForm   = errors.New("link: message is not of the contract's form")
	ErrForged = errors.New("link: message does not come from whom it claims, or was changed")
	ErrSize   = errors.New("link: message is too large")
)

var postForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ValidPost reports whether name can be the name of a post on the broker.
func ValidPost(name string) bool { return postForm.MatchString(name) }

// AskSubject is where a post sends questions.
func AskSubject(post string) string { return root + post + "." + ask }

// DeliverSubject is where a post sends outcomes.
func DeliverSubject(post string) string { return root + post + "." + deliver }

// LeaseSubject is where a post asks for a lease.
func LeaseSubject(post string) string { return root + post + "." + lease }

// HelloSubject is where a post says that it has started.
func HelloSubject(post string) string { return root + post + "." + hello }

// PokeSubject is where central says that an order waits.
func PokeSubject(post string) string { return root + post + "." + poke }

// InboxPrefix is below which a post takes replies.
func InboxPrefix(post string) string { return root + post + ".inbox" }

// Owned is the wildcard of all subjects of a post.
func Owned(post string) string { return root + post + ".>" }

// What central listens on.
const (
	AskSubjects     = root + "*." + ask
	DeliverSubjects = root + "*." + deliver
	LeaseSubjects   = root + "*." + lease
	HelloSubjects   = root + "*." + hello
)

// What all posts may listen to.
const (
	BundleSubject = "feed.bundle"
	Feed          = "feed.>"
)

// PostOf returns the post that a subject belongs to, ErrForm if to none.
func PostOf(subject string) (string, error) {
	rest, ok := strings.CutPrefix(subject, root)
	post, what, two := strings.Cut(rest, ".")
	if !ok || !two || !ValidPost(post) || what == "" {
		return "", fmt.Errorf("%w: subject", ErrForm)
	}
	return post, nil
}
