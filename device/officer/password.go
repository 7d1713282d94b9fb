package officer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/watchpost/watchpost/device/fault"
)

// Rules of a new password. Length counts, classes of characters do not, and
// what everybody tries first is refused (NIST SP 800-63B-4, 2025, section
// 3.1.1.2). Lists of leaked passwords cannot be asked offline; lockout and
// argon2id stand for what slips through.
const (
	PasswordLeast = 12  // characters
	PasswordMost  = 256 // bytes; the API takes no more
	leastOwn      = 4   // characters that are left without common words, digits and rows of keys
	leastDistinct = 5   // different characters
)

// common are words and rows of keys that guessers begin with.
var common = []string{
	"password", "passwort", "passwd", "motdepasse", "contraseña", "welcome", "willkommen", "bienvenue", "letmein", "changeme", "default", "secret",
	"admin", "administrator", "officer", "supervisor", "auditor", "border", "police", "customs", "watchpost", "summer", "winter", "spring", "autumn",
	"qwertyuiop", "qwerty", "qwertz", "azerty", "asdfgh", "asdf", "zxcvbn", "yxcvbn", "monkey", "dragon", "football", "iloveyou", "sunshine", "princess",
}

// CheckPassword returns nil if password may be an account's. about are words
// that say whose it is: id, name, post. Codes: officer.password_short,
// officer.password_long, officer.password_common.
func CheckPassword(password string, about ...string) error {
	if utf8.RuneCountInString(password) < PasswordLeast || !utf8.ValidString(password) {
		return fault.New("officer.password_short", "fewer than %d characters", PasswordLeast).WithHint("use a sentence or four words that have nothing to do with each other")
	}
	if len(password) > PasswordMost {
		return fault.New("officer.password_long", "more than %d bytes", PasswordMost)
	}
	rest := strings.ToLower(password)
	distinct := map[rune]bool{}
	for _, r := range rest {
		distinct[r] = true
	}
	for _, words := range append([]string{strings.Join(common, " ")}, about...) {
		for _, w := range strings.FieldsFunc(strings.ToLower(words), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if len(w) > 2 {
				rest = strings.ReplaceAll(rest, w, " ")
			}
		}
	}
	if len(distinct) < leastDistinct || own(rest) < leastOwn {
		return fault.New("officer.password_common", "the password is made of what guessers try first").WithHint("use a sentence or four words that have nothing to do with each other")
	}
	return nil
}

// own counts letters that do not continue a row: abcd, 4321, aaaa.
func own(s string) int {
	n := 0
	var before rune
	for _, r := range s {
		if unicode.IsLetter(r) && r != before && r != before+1 && r != before-1 {
			n++
		}
		before = r
	}
	return n
}

// NewPassword returns the form of password for an accounts file, if it may be
// one.
func NewPassword(password string, about ...string) (string, error) {
	if err := CheckPassword(password, about...); err != nil {
		return "", err
	}
	return HashPassword(password), nil
}
