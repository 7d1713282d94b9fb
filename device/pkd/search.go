package pkd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/watchpost/watchpost/device/fault"
)

// holding are the attributes that hold something for a trust store: the ICAO
// PKD's own, and those of national directories (RFC 4523:2006).
var holding = []string{
	"userCertificate", "cACertificate", "certificateRevocationList", "authorityRevocationList",
	"pkdMasterListContent", "cscaMasterListData", "pkdDeviationListContent",
}

// versions are the attributes that tell one state of an entry from another.
var versions = []string{"pkdVersion", "modifyTimestamp"}

// filter finds entries with at least one of holding. An attribute that the
// server does not know is no match and no error (RFC 4511:2006 4.5.1.7).
func filter() string {
	var b strings.Builder
	b.WriteString("(|")
	for _, a := range holding {
		b.WriteString("(" + a + "=*)")
	}
	return b.String() + ")"
}

// between narrows filter to versions of a range. A directory whose schema cannot
// compare them finds nothing.
func between(lowest, highest int64) string {
	return fmt.Sprintf("(&%s(pkdVersion>=%d)(pkdVersion<=%d))", filter(), lowest, highest)
}

// wanted adds the form with ;binary, without which some servers give nothing
// (RFC 4522:2006 3).
func wanted() []string {
	names := append([]string(nil), versions...)
	for _, a := range holding {
		names = append(names, a, a+";binary")
	}
	return names
}

// maxNameBytes bounds a distinguished name; it is kept for every entry.
const maxNameBytes = 2 << 10

// all calls visit for every entry below the base that a filter finds, with the
// attributes named. It reads by pages (RFC 2696:1999).
func (s *session) all(ctx context.Context, which string, attributes []string, visit func(*ldap.Entry) error) error {
	seen := 0
	paging := ldap.NewControlPaging(uint32(s.limits.PageSize))
	const smallestPage = 16
	for empty := 0; ; {
		request := ldap.NewSearchRequest(s.target.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
			which, attributes, []ldap.Control{paging})
		before := seen
		cookie, err := s.page(ctx, request, func(e *ldap.Entry) error {
			if seen++; seen > s.limits.Entries {
				return fault.New(ErrEndless.Code, "over %d entries", s.limits.Entries)
			}
			if len(e.DN) > maxNameBytes {
				return fault.New(ErrTooLarge.Code, "distinguished name of %d octets", len(e.DN))
			}
			return visit(e)
		})
		if errors.Is(err, errLimit) && seen == 0 && paging.PagingSize > smallestPage {
			// Some servers give smaller pages, others refuse to give larger ones
			// than they like.
			paging.PagingSize /= 2
			continue
		}
		if err != nil {
			return err
		}
		if len(cookie) == 0 {
			return nil
		}
		// A page may come empty, but not one after the other.
		if empty++; seen > before {
			empty = 0
		}
		if empty > 3 {
			return fault.New(ErrEndless.Code, "page after page without an entry")
		}
		paging.SetCookie(cookie)
	}
}

// one reads a single entry; nil when it is no longer there.
func (s *session) one(ctx context.Context, dn string, attributes []string) (*ldap.Entry, error) {
	request := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", attributes, nil)
	var found *ldap.Entry
	_, err := s.page(ctx, request, func(e *ldap.Entry) error {
		if found != nil {
			return fault.New(ErrEndless.Code, "several entries of one name")
		}
		found = e
		return nil
	})
	if fault.CodeOf(err) == ErrBase.Code {
		return nil, nil
	}
	return found, err
}

// page runs one search to its end and returns the cookie of the next page.
func (s *session) page(ctx context.Context, request *ldap.SearchRequest, visit func(*ldap.Entry) error) (cookie []byte, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(s.limits.Stall, func() {
		cancel(fault.New(ErrInterrupted.Code, "the server fell silent"))
	})
	defer silence.Stop()
	answers := s.conn.SearchAsync(ctx, request, 0)
	for answers.Next() {
		silence.Reset(s.limits.Stall)
		if c, ok := ldap.FindControl(answers.Controls(), ldap.ControlTypePaging).(*ldap.ControlPaging); ok {
			cookie = c.Cookie
		}
		if answers.Referral() != "" {
			s.referrals++
			continue
		}
		if e := answers.Entry(); e != nil {
			if err := visit(e); err != nil {
				return nil, err
			}
		}
	}
	if err := answers.Err(); err != nil {
		return nil, s.failure(ctx, ErrSearch, err)
	}
	// The library ends without an error, too, where the connection was closed
	// or ctx ended: half an answer must not pass for all of it.
	if err := s.framed.failure(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fault.Wrap(ErrInterrupted.Code, context.Cause(ctx))
	}
	if len(cookie) == 0 && s.conn.IsClosing() {
		return nil, fault.New(ErrInterrupted.Code, "the connection was closed")
	}
	return cookie, nil
}

// versionOf is the state of an entry as the directory tells it, "" where it
// does not.
func versionOf(e *ldap.Entry) string {
	for _, name := range versions {
		if v := e.GetEqualFoldAttributeValue(name); v != "" && len(v) <= 64 {
			return strings.ToLower(name) + ":" + v
		}
	}
	return ""
}
