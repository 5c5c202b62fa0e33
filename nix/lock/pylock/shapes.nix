# The tables of a `pylock.toml` (PEP 751). What stands in `packages` is looked at entry by entry.
rec {
  texts = {
    list = "string";
  };
  fileFields = {
    name = "string";
    path = "string";
    url = "string";
    upload-time = "int";
    size = "int";
    hashes.values = "string";
  };
  file.fields = fileFields;
  package = {
    fields = {
      name = "string";
      version = "string";
      marker = "string";
      requires-python = "string";
      index = "string";
      dependencies.list.fields = { };
      tool.fields = { };
      attestation-identities.list = {
        fields.kind = "string";
        required = [ "kind" ];
      };
      wheels.list = file;
      sdist = file;
      vcs = {
        fields = {
          type = "string";
          url = "string";
          path = "string";
          requested-revision = "string";
          commit-id = "string";
          subdirectory = "string";
        };
        required = [
          "type"
          "commit-id"
        ];
      };
      directory = {
        fields = {
          path = "string";
          editable = "bool";
          subdirectory = "string";
        };
        required = [ "path" ];
      };
      archive.fields = fileFields // {
        subdirectory = "string";
      };
    };
    required = [ "name" ];
  };
  lock = {
    fields = {
      lock-version = "string";
      created-by = "string";
      requires-python = "string";
      environments = texts;
      extras = texts;
      dependency-groups = texts;
      default-groups = texts;
      packages.list.fields = { };
      tool.fields.pyzpack.fields = {
        lock-version = "int";
        inputs = "string";
        build-packages.list.fields = { };
        builds.list.fields = { };
      };
    };
    required = [
      "lock-version"
      "created-by"
      "packages"
    ];
  };
  build = {
    fields = {
      name = "string";
      version = "string";
      requires = texts;
      packages.list = {
        fields = {
          name = "string";
          version = "string";
          marker = "string";
        };
        required = [
          "name"
          "version"
        ];
      };
    };
    required = [
      "name"
      "requires"
      "packages"
    ];
  };
}
