package page

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The bundle names the hash of its sources, computed as in build.mjs.
func TestBundleIsOfItsSources(t *testing.T) {
	files, err := filepath.Glob("web/src/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no sources", err)
	}
	hash := sha256.New()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(data)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); !strings.Contains(script, sum) {
		t.Error("web/dist/page.js was not built from web/src as it is now: go generate ./reports/page")
	}
}

// An end tag inside the script would end the script element.
func TestBundleCannotEndItsElement(t *testing.T) {
	for name, text := range map[string]string{"script": script, "style": style} {
		if strings.Contains(strings.ToLower(text), "</"+name) {
			t.Errorf("the %s holds </%s", name, name)
		}
	}
}

func TestLockNamesNoHost(t *testing.T) {
	data, err := os.ReadFile("web/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), `"resolved"`) {
		t.Error("web/package-lock.json names where packages were fetched; web/.npmrc has the setting against it")
	}
}
