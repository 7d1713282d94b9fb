package path

import (
	"net/url"
	"strings"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// Kinds of GeneralName (RFC 5280:2008 4.2.1.6).
const (
	kindMail      = 1
	kindHost      = 2
	kindDirectory = 4
	kindURI       = 6
)

const oidEmailAddress = "1.2.840.113549.1.9.1"

// constraints are those of all authorities above (RFC 5280:2008 6.1.2 b, c):
// a name must lie in one permitted subtree of its kind of every authority that
// gives any, and in no excluded one.
type constraints struct {
	permitted [][]generalName // by authority
	excluded  []generalName
}

func (k *constraints) add(x extensions) {
	if x.permitted != nil {
		k.permitted = append(k.permitted, x.permitted)
	}
	k.excluded = append(k.excluded, x.excluded...)
}

// check judges every name of c. Error: ErrName.
func (k *constraints) check(c *pki.Certificate) error {
	if k.permitted == nil && k.excluded == nil {
		return nil
	}
	names, err := alternativeNames(c)
	if err != nil {
		return fault.New(ErrCritical.Code, "alternative names: %v", err)
	}
	mail := false
	for _, n := range names {
		mail = mail || n.kind == kindMail
	}
	if len(c.Subject.Attributes) > 0 {
		names = append(names, generalName{kindDirectory, c.RawSubject})
	}
	if !mail {
		// The old place of an address (4.2.1.10).
		for _, a := range c.Subject.Attributes {
			if a.OID == oidEmailAddress {
				names = append(names, generalName{kindMail, []byte(a.Value)})
			}
		}
	}
	for _, n := range names {
		if err := k.name(n); err != nil {
			return err
		}
	}
	return nil
}

func (k *constraints) name(n generalName) error {
	for _, base := range k.excluded {
		if base.kind != n.kind {
			continue
		}
		if in, sure := n.within(base); in || !sure {
			return fault.New(ErrName.Code, "a name of kind %d is excluded", n.kind)
		}
	}
	for _, bases := range k.permitted {
		limited, allowed := false, false
		for _, base := range bases {
			if base.kind != n.kind {
				continue
			}
			limited = true
			in, sure := n.within(base)
			allowed = allowed || in && sure
		}
		if limited && !allowed {
			return fault.New(ErrName.Code, "a name of kind %d is not permitted", n.kind)
		}
	}
	return nil
}

// within reports whether n lies in the subtree of base, which is of its kind.
// What is of no known kind or form is not sure: then neither permission nor
// absence of exclusion can be shown.
func (n generalName) within(base generalName) (in, sure bool) {
	switch n.kind {
	case kindDirectory:
		name, err := pki.ParseName(n.raw)
		if err != nil {
			return false, false
		}
		above, err := pki.ParseName(base.raw)
		return err == nil && name.Within(above), err == nil
	case kindHost:
		return below(string(n.raw), string(base.raw)), true
	case kindMail:
		return mailWithin(string(n.raw), string(base.raw))
	case kindURI:
		u, err := url.Parse(string(n.raw))
		if err != nil || u.Hostname() == "" {
			return false, false
		}
		return hostWithin(u.Hostname(), string(base.raw)), true
	}
	return false, false
}

// below: the host itself and every name left of it (4.2.1.10, DNS names).
func below(host, base string) bool {
	host, base = strings.ToLower(host), strings.ToLower(base)
	return base == "" || host == base || strings.HasSuffix(host, "."+strings.TrimPrefix(base, "."))
}

// hostWithin: a base with a leading dot means the hosts of a domain, one
// without it a single host (4.2.1.10, URIs and mail).
func hostWithin(host, base string) bool {
	host, base = strings.ToLower(host), strings.ToLower(base)
	if strings.HasPrefix(base, ".") {
		return strings.HasSuffix(host, base)
	}
	return host == base
}

func mailWithin(address, base string) (in, sure bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return false, false
	}
	local, host := address[:at], address[at+1:]
	if i := strings.LastIndexByte(base, '@'); i >= 0 {
		return local == base[:i] && strings.EqualFold(host, base[i+1:]), true
	}
	return hostWithin(host, base), true
}
