// Rules brings rules from ConfigMaps to a Prometheus beside it: what carries
// the label is written to a folder, and Prometheus is told when it changed.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	account = "/var/run/secrets/kubernetes.io/serviceaccount/"
	pause   = 2 * time.Second
	// No list of rules is longer than this.
	limit = 64 << 20
)

type list struct {
	Items []struct {
		Metadata struct{ Namespace, Name string }
		Data     map[string]string
	}
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: rules LABEL FOLDER RELOAD-URL")
	}
	label, folder, reload := os.Args[1], os.Args[2], os.Args[3]
	client := inCluster()
	told := map[string]string{}
	for ; ; time.Sleep(pause) {
		files, err := wanted(client, label)
		if err != nil {
			log.Printf("the rules cannot be listed: %v", err)
			continue
		}
		if same(told, files) {
			continue
		}
		if err := write(folder, told, files); err != nil {
			log.Printf("the rules cannot be written: %v", err)
			continue
		}
		if err := post(reload); err != nil {
			// Prometheus goes on with the rules it had; asked again next time.
			log.Printf("Prometheus refuses the rules: %v", err)
			continue
		}
		log.Printf("Prometheus has %d files of rules", len(files))
		told = files
	}
}

func inCluster() *http.Client {
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(account + "ca.crt")
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		log.Fatalf("no certificate of the cluster: %v", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// What should be in the folder, by file name.
func wanted(client *http.Client, label string) (map[string]string, error) {
	// Tokens are renewed in place.
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return nil, err
	}
	server := os.Getenv("KUBERNETES_SERVICE_HOST") + ":" + os.Getenv("KUBERNETES_SERVICE_PORT")
	request, err := http.NewRequest("GET", "https://"+server+"/api/v1/configmaps?labelSelector="+url.QueryEscape(label), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API server answers %s", answer.Status)
	}
	var found list
	if err := json.NewDecoder(io.LimitReader(answer.Body, limit)).Decode(&found); err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, item := range found.Items {
		for key, text := range item.Data {
			if strings.HasSuffix(key, ".yaml") {
				files[item.Metadata.Namespace+"_"+item.Metadata.Name+"_"+filepath.Base(key)] = text
			}
		}
	}
	return files, nil
}

func same(one, other map[string]string) bool {
	if len(one) != len(other) {
		return false
	}
	for name, text := range one {
		if known, there := other[name]; !there || known != text {
			return false
		}
	}
	return true
}

func write(folder string, before, now map[string]string) error {
	for name := range before {
		if _, kept := now[name]; !kept {
			if err := os.Remove(filepath.Join(folder, name)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	for name, text := range now {
		if before[name] == text {
			continue
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
	}
	return nil
}

func post(reload string) error {
	answer, err := http.Post(reload, "", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		told, _ := io.ReadAll(io.LimitReader(answer.Body, 2000))
		return fmt.Errorf("%s: %s", answer.Status, told)
	}
	return nil
}
