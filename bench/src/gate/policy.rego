# The checks that conftest can express, too: every test passed, no weakness of
# high severity, a bill of materials of this artifact with enough components.
package main

import rego.v1

content(name) := file.contents if {
	some file in input
	endswith(file.path, name)
}

suites contains suite if {
	found := content("tests.xml").testsuites.testsuite
	is_object(found)
	suite := found
}

suites contains suite if {
	found := content("tests.xml").testsuites.testsuite
	is_array(found)
	some suite in found
}

cases contains case if {
	some suite in suites
	is_array(suite.testcase)
	some case in suite.testcase
}

deny contains "a test failed" if {
	some case in cases
	case.failure
}

deny contains "too few tests" if count(cases) < 2

deny contains "a weakness of high severity" if content("audit.json").vulnerabilities.count > 0

deny contains "too few components" if count(content("sbom.json").components) < 5

deny contains "another artifact" if {
	some hash in content("sbom.json").metadata.component.hashes
	hash.content != data.artifact
}
