package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"time"
)

// certificatesLast is how long the certificates of a new cluster are valid.
// Programs export when those that they see end (docs/metrics.md).
const certificatesLast = 10 * 365 * 24 * time.Hour

// authority signs the certificates of a cluster's servers.
type authority struct {
	cert            *x509.Certificate
	key             *ecdsa.PrivateKey
	certPEM, keyPEM []byte
}

func newAuthority(name string) (*authority, error) {
	key, keyPEM, err := newCertificateKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a := &authority{cert: template, key: key, keyPEM: keyPEM}
	if a.certPEM, err = a.sign(template, &key.PublicKey); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(a.certPEM)
	a.cert, err = x509.ParseCertificate(block.Bytes)
	return a, err
}

// leaf is a certificate for a host, with its key. Servers are each other's
// clients on their routes, so it is good for both sides.
func (a *authority) leaf(name, host string) (certPEM, keyPEM []byte, err error) {
	key, keyPEM, err := newCertificateKey()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	certPEM, err = a.sign(template, &key.PublicKey)
	return certPEM, keyPEM, err
}

func (a *authority) sign(template *x509.Certificate, public *ecdsa.PublicKey) ([]byte, error) {
	now := time.Now()
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(certificatesLast)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key) // with a random serial number
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func newCertificateKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
