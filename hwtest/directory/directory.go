// Package directory runs private LDAP directories (OpenLDAP's slapd, Debian
// package of that name) in the shape of the ICAO Public Key Directory, for
// tests: the tree, the object classes and the page limits of the real one,
// with whatever a test puts into it. It listens on loopback alone.
package directory

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Base is where the ICAO PKD keeps what conforms.
const Base = "dc=data,dc=download,dc=pkd,dc=icao,dc=int"

// Suffix is the top of the tree.
const Suffix = "dc=pkd,dc=icao,dc=int"

// Manager may write.
const (
	Manager  = "cn=manager," + Suffix
	Password = "test directory"
)

// PageSize is how many entries a search gives at once, and altogether where it
// is not paged.
const PageSize = 15

// Certificate is what slapd shows to those who ask for TLS.
type Certificate struct{ CertPEM, KeyPEM []byte }

// Directory is a running slapd. One goroutine only.
type Directory struct {
	dir    string
	port   int
	cmd    *exec.Cmd     // nil while it is stopped
	exited chan struct{} // closed when cmd has ended
}

// startLimit bounds the wait for the first answer.
const startLimit = 20 * time.Second

// schema are the PKD's own classes. Their registered identifiers are not
// public, so they stand under the arc for examples (ITU-T X.660:2011, 2.999).
const schema = `dn: cn=pkd,cn=schema,cn=config
objectClass: olcSchemaConfig
cn: pkd
olcAttributeTypes: ( 2.999.1.1 NAME 'pkdVersion' EQUALITY integerMatch ORDERING integerOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
olcAttributeTypes: ( 2.999.1.2 NAME 'pkdMasterListContent' SYNTAX 1.3.6.1.4.1.1466.115.121.1.5 SINGLE-VALUE )
olcAttributeTypes: ( 2.999.1.3 NAME 'pkdDeviationListContent' SYNTAX 1.3.6.1.4.1.1466.115.121.1.5 SINGLE-VALUE )
olcAttributeTypes: ( 2.999.1.4 NAME 'pkdConformanceCode' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
olcObjectClasses: ( 2.999.2.1 NAME 'pkdDownload' AUXILIARY MUST pkdVersion MAY pkdConformanceCode )
olcObjectClasses: ( 2.999.2.2 NAME 'pkdMasterList' SUP top STRUCTURAL MUST ( cn $ pkdMasterListContent ) MAY ( sn $ cACertificate ) )
olcObjectClasses: ( 2.999.2.3 NAME 'pkdDeviationList' SUP top STRUCTURAL MUST ( cn $ pkdDeviationListContent ) MAY sn )
`

func config(dir string) string {
	tls := ""
	if _, err := os.Stat(filepath.Join(dir, "cert.pem")); err == nil {
		tls = "olcTLSCertificateFile: " + dir + "/cert.pem\nolcTLSCertificateKeyFile: " + dir + "/key.pem\n"
	}
	return "dn: cn=config\nobjectClass: olcGlobal\ncn: config\nolcPidFile: " + dir + "/pid\n" + tls + "\n" +
		"dn: cn=module,cn=config\nobjectClass: olcModuleList\ncn: module\nolcModulePath: /usr/lib/ldap\nolcModuleLoad: back_mdb.la\n\n" +
		"dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n\n" +
		"include: file:///etc/ldap/schema/core.ldif\n\ninclude: file:///etc/ldap/schema/cosine.ldif\n\ninclude: file:///etc/ldap/schema/inetorgperson.ldif\n\n" +
		schema + "\n" +
		"dn: olcDatabase=frontend,cn=config\nobjectClass: olcDatabaseConfig\nobjectClass: olcFrontendConfig\nolcDatabase: frontend\nolcAccess: to * by * read\n\n" +
		"dn: olcDatabase=mdb,cn=config\nobjectClass: olcDatabaseConfig\nobjectClass: olcMdbConfig\nolcDatabase: mdb\nolcSuffix: " + Suffix +
		"\nolcDbDirectory: " + dir + "/db\nolcDbMaxSize: 268435456\nolcDbNoSync: TRUE\nolcRootDN: " + Manager + "\nolcRootPW: " + Password +
		fmt.Sprintf("\nolcLimits: * size.soft=%d size.hard=%d size.pr=%d size.prtotal=unlimited\n", PageSize, PageSize, PageSize)
}

// tree is the PKD without its content; countries hang below Base.
func tree(countries ...string) string {
	b := "dn: " + Suffix + "\nobjectClass: dcObject\nobjectClass: organization\ndc: pkd\no: pkd\n\n" +
		"dn: dc=download," + Suffix + "\nobjectClass: dcObject\nobjectClass: organization\ndc: download\no: download\n\n" +
		"dn: " + Base + "\nobjectClass: dcObject\nobjectClass: organization\ndc: data\no: data\n\n"
	for _, c := range countries {
		b += "dn: c=" + c + "," + Base + "\nobjectClass: country\nc: " + c + "\n\n"
		for _, o := range []string{"dsc", "ml", "crl", "dl"} {
			b += "dn: o=" + o + ",c=" + c + "," + Base + "\nobjectClass: organization\no: " + o + "\n\n"
		}
	}
	return b
}

// Start makes a directory in dir, which is empty, for the given countries.
// certificate may be nil. The caller stops it. An error that wraps
// exec.ErrNotFound says that slapd is not installed.
func Start(dir string, certificate *Certificate, countries ...string) (*Directory, error) {
	d := &Directory{dir: dir}
	if certificate != nil {
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "cert.pem"), certificate.CertPEM, 0o600),
			os.WriteFile(filepath.Join(dir, "key.pem"), certificate.KeyPEM, 0o600)); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "config"), 0o700), os.Mkdir(filepath.Join(dir, "db"), 0o700)); err != nil {
		return nil, err
	}
	if err := d.slapadd("0", config(dir)); err != nil {
		return nil, err
	}
	if err := d.slapadd("1", tree(countries...)); err != nil {
		return nil, err
	}
	return d, d.Run()
}

// program finds slapd's programs, which Debian keeps out of a user's path.
func program(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

func (d *Directory) slapadd(database, ldif string) error {
	bin, err := program("slapadd")
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	cmd := exec.Command(bin, "-q", "-n", database, "-F", filepath.Join(d.dir, "config"))
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("directory: slapadd: %w: %s", err, out)
	}
	return nil
}

// Run starts the server, again after Stop; it then keeps its port.
func (d *Directory) Run() error {
	bin, err := program("slapd")
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	if d.port == 0 {
		if d.port, err = freePort(); err != nil {
			return err
		}
	}
	d.cmd = exec.Command(bin, "-d", "0", "-F", filepath.Join(d.dir, "config"), "-h", d.URL("ldap", ""))
	var log bytes.Buffer
	d.cmd.Stdout, d.cmd.Stderr = &log, &log
	if err := d.cmd.Start(); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	cmd, exited := d.cmd, make(chan struct{})
	d.exited = exited
	go func() { _ = cmd.Wait(); close(exited) }()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		c, err := net.Dial("tcp", d.Address())
		if err == nil {
			c.Close()
			if d.listens() {
				return nil
			}
			err = errors.New("another program answers on its port")
		}
		select {
		case <-exited:
			return fmt.Errorf("directory: slapd ended: %s", log.String())
		case <-ctx.Done():
			d.Stop()
			return fmt.Errorf("directory: slapd does not answer: %w", err)
		case <-poll.C:
		}
	}
}

// listens reports whether slapd has written its process number, as it does once
// it has its port: another program may have taken that and answer there.
func (d *Directory) listens() bool {
	raw, err := os.ReadFile(filepath.Join(d.dir, "pid"))
	return err == nil && strings.TrimSpace(string(raw)) == strconv.Itoa(d.cmd.Process.Pid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// URL is the directory's address with a base, which may be empty.
func (d *Directory) URL(scheme, base string) string {
	return fmt.Sprintf("%s://127.0.0.1:%d/%s", scheme, d.port, base)
}

// Address is host and port.
func (d *Directory) Address() string { return fmt.Sprintf("127.0.0.1:%d", d.port) }

// Stop ends the server; what it holds stays for Run. Calling it again does
// nothing.
func (d *Directory) Stop() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	<-d.exited
	d.cmd = nil
}

// Load puts entries into a directory that is stopped.
func (d *Directory) Load(entries ...Entry) error {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.ldif())
	}
	return d.slapadd("1", b.String())
}

// Entry is one signed thing of the PKD.
type Entry struct {
	Kind    string // dsc, crl, ml or dl
	Country string
	Name    string // common name, unique in its branch
	Version int64  // pkdVersion
	Raw     []byte
}

// DN is the entry's distinguished name.
func (e Entry) DN() string { return "cn=" + e.Name + ",o=" + e.Kind + ",c=" + e.Country + "," + Base }

// Attribute is what holds the entry's content.
func (e Entry) Attribute() string {
	switch e.Kind {
	case "crl":
		return "certificateRevocationList;binary"
	case "ml":
		return "pkdMasterListContent"
	case "dl":
		return "pkdDeviationListContent"
	}
	return "userCertificate;binary"
}

func (e Entry) ldif() string {
	class := map[string]string{"dsc": "inetOrgPerson", "crl": "cRLDistributionPoint", "ml": "pkdMasterList", "dl": "pkdDeviationList"}[e.Kind]
	s := "dn: " + e.DN() + "\nobjectClass: " + class + "\nobjectClass: pkdDownload\ncn: " + e.Name + "\n"
	if e.Kind == "dsc" {
		s += "sn: 1\n"
	}
	return s + fmt.Sprintf("pkdVersion: %d\n%s:: %s\n\n", e.Version, e.Attribute(), base64.StdEncoding.EncodeToString(e.Raw))
}

// ForTest starts a directory and stops it when the test ends. Where slapd is
// not installed the test is skipped; where CI=true it fails.
func ForTest(t testing.TB, certificate *Certificate, countries ...string) *Directory {
	t.Helper()
	d, err := Start(t.TempDir(), certificate, countries...)
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: slapd is not installed (make deps); nothing of a live directory is tested")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return d
}
