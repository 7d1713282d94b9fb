package pkd

import (
	"net"
	"net/url"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/watchpost/watchpost/device/fault"
)

// DefaultBase is where the ICAO PKD keeps what conforms to Doc 9303. What does
// not lies under dc=nc-data and is asked for by name.
const DefaultBase = "dc=data,dc=download,dc=pkd,dc=icao,dc=int"

// Target is a directory and the entry below which it is read.
type Target struct {
	Address string // host:port
	Host    string // for the server's certificate
	Base    string // distinguished name
	TLS     bool   // from the first octet (ldaps)
}

// ParseURL reads ldap://HOST[:PORT][/BASE] or ldaps://... (RFC 4516:2006);
// without BASE it is DefaultBase. What a URL may hold beyond that, and a name
// or password in it, is refused. Error: ErrURL.
func ParseURL(s string) (Target, error) {
	bad := func(why string) (Target, error) {
		return Target{}, fault.New(ErrURL.Code, "%s", why).WithHint("for example ldaps://pkddownload.example/dc=data,dc=download,dc=pkd,dc=icao,dc=int")
	}
	u, err := url.Parse(s)
	if err != nil {
		return bad("not a URL")
	}
	t := Target{Host: u.Hostname(), Base: DefaultBase, TLS: u.Scheme == "ldaps"}
	port := u.Port()
	switch {
	case u.Scheme != "ldap" && u.Scheme != "ldaps":
		return bad("scheme is neither ldap nor ldaps")
	case u.User != nil:
		return bad("a name or password does not belong in the URL")
	case t.Host == "":
		return bad("no host")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return bad("attributes, scope or filter in the URL are not taken")
	case port == "" && t.TLS:
		port = ldap.DefaultLdapsPort
	case port == "":
		port = ldap.DefaultLdapPort
	}
	if base := strings.TrimPrefix(u.Path, "/"); base != "" {
		if _, err := ldap.ParseDN(base); err != nil {
			return bad("base is no distinguished name")
		}
		t.Base = base
	}
	t.Address = net.JoinHostPort(t.Host, port)
	return t, nil
}

// String names the directory, in one form whatever the URL's.
func (t Target) String() string {
	scheme := "ldap"
	if t.TLS {
		scheme = "ldaps"
	}
	return scheme + "://" + strings.ToLower(t.Address) + "/" + t.Base
}
